//! The radii at which a summary counts certified answers.

use super::error::RecomputeError;

/// About the number of even steps of a grid.
const STEPS: f64 = 50.0;

/// Ascending positive radii, in the units of the float input.
#[derive(Debug, Clone, PartialEq)]
pub struct RadiusGrid(Vec<f64>);

impl RadiusGrid {
    /// A grid of these radii.
    ///
    /// # Errors
    /// [`RecomputeError::RadiusGrid`] unless they are positive, finite and ascending.
    pub fn new(radii: Vec<f64>) -> Result<Self, RecomputeError> {
        let mut last = 0.0;
        for &radius in &radii {
            if !(radius.is_finite() && radius > last) {
                return Err(RecomputeError::RadiusGrid(radius, last));
            }
            last = radius;
        }
        Ok(Self(radii))
    }

    /// Even steps of a round size up to at least `largest`, together with the radii `extra`. A
    /// `largest` that is not positive and finite counts as 1.
    ///
    /// # Errors
    /// [`RecomputeError::RadiusGrid`] for an extra radius that is not positive and finite.
    pub fn covering(largest: f64, extra: &[f64]) -> Result<Self, RecomputeError> {
        let largest = if largest.is_finite() && largest > 1e-12 {
            largest
        } else {
            1.0
        };
        // The step is written in decimals, so that a grid radius prints as a round number.
        let exponent = (largest / STEPS).log10().floor();
        let mantissa = largest / STEPS / 10_f64.powf(exponent);
        let round = [1.0, 2.0, 2.5, 5.0, 10.0]
            .into_iter()
            .find(|&round| round >= mantissa)
            .unwrap_or(10.0);
        let mut radii: Vec<f64> = (1..=64)
            .map(|step| f64::from(step) * round)
            .map(|scaled| format!("{scaled}e{exponent}").parse().unwrap_or(f64::NAN))
            .take_while(|radius| radius - largest < round * 10_f64.powf(exponent))
            .collect();
        for &radius in extra {
            let place = radii.partition_point(|&other| other < radius);
            if radii.get(place) != Some(&radius) {
                radii.insert(place, radius);
            }
        }
        Self::new(radii)
    }

    /// The radii.
    #[must_use]
    pub fn radii(&self) -> &[f64] {
        &self.0
    }

    /// The index of `radius`, if the grid has exactly this radius.
    #[must_use]
    pub fn index_of(&self, radius: f64) -> Option<usize> {
        let place = self.reached_by(radius).checked_sub(1)?;
        (self.0.get(place) == Some(&radius)).then_some(place)
    }

    /// The number of grid radii that a certified radius covers: those that are at most `radius`. A
    /// certified radius is rounded down, so whatever it covers is proven. A NaN covers none.
    #[must_use]
    pub fn reached_by(&self, radius: f64) -> usize {
        self.0.partition_point(|&grid| grid <= radius)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_has_round_steps_up_to_the_largest_radius_and_the_extra_radii() -> Result<(), RecomputeError> {
        for largest in [0.003, 0.0314, 0.25, 0.7, 1.0, 3.9, 112.0] {
            let grid = RadiusGrid::covering(largest, &[0.25, 36.0 / 255.0, 1e-9])?;
            let radii = grid.radii();
            assert!(
                radii.last().is_some_and(|&last| last >= largest),
                "{largest}: {radii:?}"
            );
            assert!(radii.len() <= 70 && radii.len() >= 28, "{largest}: {}", radii.len());
            assert_eq!(grid.index_of(0.25).map(|index| radii[index]), Some(0.25));
            assert_eq!(
                grid.index_of(36.0 / 255.0).map(|index| radii[index]),
                Some(36.0 / 255.0)
            );
            assert_eq!(grid.index_of(f64::NAN), None);
        }
        let grid = RadiusGrid::covering(0.5, &[])?;
        assert_eq!(grid.radii()[..3], [0.01, 0.02, 0.03]);
        assert!(RadiusGrid::covering(0.5, &[f64::NAN]).is_err() && RadiusGrid::covering(0.5, &[-1.0]).is_err());
        Ok(())
    }

    /// A radius just below a grid radius does not reach it.
    #[test]
    fn a_radius_reaches_only_what_it_covers() -> Result<(), RecomputeError> {
        let grid = RadiusGrid::new(vec![0.1, 0.2, 0.3])?;
        for (radius, expected) in [
            (0.0, 0),
            (0.1_f64.next_down(), 0),
            (0.1, 1),
            (0.3_f64.next_down(), 2),
            (9.0, 3),
            (f64::NAN, 0),
        ] {
            assert_eq!(grid.reached_by(radius), expected, "{radius}");
        }
        assert!(RadiusGrid::new(vec![0.1, 0.1]).is_err() && RadiusGrid::new(vec![0.0]).is_err());
        Ok(())
    }
}
