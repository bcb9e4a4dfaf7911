//! Where the rows of a smoothed model come from: integer levels plus exact noise.

use std::sync::Arc;

use super::noise_key_generator::NoiseKeyGenerator;
use crate::certificate::noise::{Grid, NoiseError, NoiseKey, NoiseTable, fill_noisy_row};
use crate::certificate::{CertificateError, Sigma};
use crate::domain::{Input, InputSpec, Values};
use crate::scheduler::RowSource;

/// The noise of one smoothed model.
pub(in crate::classifier) struct Smoother {
    pub(in crate::classifier) sigma: Sigma,
    /// Total-variation distance of one noisy input from the exact one.
    pub(in crate::classifier) total_variation: f64,
    noise: Arc<Noise>,
    keys: Arc<NoiseKeyGenerator>,
}

struct Noise {
    grid: Grid,
    table: NoiseTable,
}

/// An input on the grid.
#[derive(Clone)]
pub(in crate::classifier) struct SnappedInput {
    levels: Arc<[i32]>,
    /// To be taken off the radius; 0 if no input of its kind can lie beside the grid.
    pub(in crate::classifier) loss: f64,
}

/// Why a guarantee cannot be turned into noise.
#[derive(Debug, thiserror::Error)]
pub(in crate::classifier) enum SmootherError {
    #[error(transparent)]
    Noise(#[from] NoiseError),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

impl Smoother {
    pub(in crate::classifier) fn new(
        spec: &InputSpec,
        sigma: f64,
        levels: u32,
        keys: Arc<NoiseKeyGenerator>,
    ) -> Result<Self, SmootherError> {
        let grid = Grid::new(spec.low, spec.high, levels)?;
        let table = NoiseTable::new(grid.scale(sigma))?;
        let total_variation = table.total_variation_for(spec.dimension());
        let noise = Arc::new(Noise { grid, table });
        Ok(Self {
            sigma: Sigma::new(sigma)?,
            total_variation,
            noise,
            keys,
        })
    }

    /// A key that was never used before and cannot be foreseen.
    pub(in crate::classifier) fn fresh_key(&self) -> NoiseKey {
        self.keys.fresh()
    }

    /// The distance between neighbouring values of the grid.
    pub(in crate::classifier) fn grid_step(&self) -> f64 {
        self.noise.grid.step()
    }

    /// Moves an input to the grid; [`snapping_loss`] says what that costs.
    pub(in crate::classifier) fn snap(&self, input: &Input) -> Result<SnappedInput, NoiseError> {
        let grid = &self.noise.grid;
        let mut on_grid = true;
        let levels = input
            .values()
            .into_iter()
            .map(|value| {
                let (level, exact) = grid.snap(value)?;
                on_grid &= exact;
                Ok(level)
            })
            .collect::<Result<_, NoiseError>>()?;
        Ok(SnappedInput {
            levels,
            loss: snapping_loss(grid, input.dimension(), input.written_as(), on_grid),
        })
    }

    /// The rows of the votes from `first` on.
    pub(in crate::classifier) fn rows(&self, input: &SnappedInput, key: &NoiseKey, first: u64) -> NoisyRows {
        NoisyRows {
            noise: Arc::clone(&self.noise),
            levels: Arc::clone(&input.levels),
            key: key.clone(),
            first,
        }
    }
}

/// What comes off the l2 radius of an input so that it covers every input of the same kind, rounded up.
///
/// The proof is about grid points; a request's input and a perturbed one, x', are moved to theirs. With D the distance
/// that a move can have, `sqrt(d)` times that of a coordinate, the grid points are no further apart than the inputs are
/// and both moves together:
/// - FLOAT32: x' may lie beside the grid, which costs half a grid diagonal, `D = sqrt(d) step / 2`. An input beside the
///   grid costs as much again. One on the grid costs the rounding of its values to f32, under a hundredth of that.
/// - UINT8: x' is bytes as x is, and all bytes are grid points: nothing. The radius then speaks of inputs of bytes, whose
///   distances are those of u / 255.
fn snapping_loss(grid: &Grid, dimension: usize, written_as: Values, on_grid: bool) -> f64 {
    let of_one = match (written_as, on_grid) {
        (Values::UInt8, true) => return 0.0,
        (Values::Float32, true) => (grid.snap_distance() + grid.rounding_distance()).next_up(),
        (_, false) => 2.0 * grid.snap_distance(),
    };
    #[expect(clippy::cast_precision_loss, reason = "dimensions stay far below 2^53")]
    let root = (dimension as f64).sqrt().next_up();
    (root * of_one).next_up()
}

/// Rows of noisy inputs, made on the executor's thread.
pub(in crate::classifier) struct NoisyRows {
    noise: Arc<Noise>,
    levels: Arc<[i32]>,
    key: NoiseKey,
    first: u64,
}

impl RowSource for NoisyRows {
    fn fill(&self, row: usize, out: &mut [f32]) -> Result<(), String> {
        let vote = self.first + u64::try_from(row).map_err(|error| error.to_string())?;
        let Noise { grid, table } = &*self.noise;
        fill_noisy_row(table, grid, &self.key, vote, &self.levels, out).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::classifier::smoothing::smoothed_prediction::served_radius;
    use crate::domain::Values;

    /// Of a grid of `levels` steps on [0, 1]: the levels and the loss.
    fn snapped(grid: &Grid, values: &[f32]) -> (Vec<i32>, f64) {
        let snaps: Vec<_> = values.iter().map(|&value| grid.snap(value).unwrap()).collect();
        let on_grid = snaps.iter().all(|(_, exact)| *exact);
        let loss = snapping_loss(grid, values.len(), Values::Float32, on_grid);
        (snaps.into_iter().map(|(level, _)| level).collect(), loss)
    }

    fn distance(x: &[f32], other: &[f32]) -> f64 {
        let squares = x
            .iter()
            .zip(other)
            .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
        squares.sum::<f64>().sqrt()
    }

    fn grid_distance(grid: &Grid, x: &[i32], other: &[i32]) -> f64 {
        let squares = x.iter().zip(other).map(|(a, b)| f64::from(a - b).powi(2));
        squares.sum::<f64>().sqrt() * grid.step()
    }

    /// CIFAR-10 on the grid of bytes, 36/255 proven: x' is just over half a step away in every coordinate, and is moved
    /// a whole one, which is further than what was proven.
    #[test]
    fn the_way_to_the_grid_is_paid_for_an_input_on_it() {
        let grid = Grid::new(0.0, 1.0, 255).unwrap();
        let proven = 36.0 / 255.0;
        let x = vec![grid.to_value(128); 3072];
        let beside = vec![grid.to_value(128) + 0.5005 * (1.0 / 255.0); 3072];
        let (at, loss) = snapped(&grid, &x);
        let (moved, _) = snapped(&grid, &beside);
        assert!((distance(&x, &beside) - 0.1087).abs() < 1e-3);
        assert!(grid_distance(&grid, &at, &moved) > proven, "the example is one");
        assert!(served_radius(proven, loss) <= distance(&x, &beside));
        // On the grid of the bundled models the way is no longer than 0.0005.
        let fine = Grid::new(0.0, 1.0, 65_535).unwrap();
        let (_, loss) = snapped(&fine, &vec![fine.to_value(128 * 257); 3072]);
        assert!(loss < 0.0005, "{loss}");
    }

    /// Every byte lies on every grid that bytes are taken on, exactly: nothing is lost, whatever the levels.
    #[test]
    fn bytes_lose_nothing() {
        for multiple in 1..=257 {
            let grid = Grid::new(0.0, 1.0, 255 * multiple).unwrap();
            for byte in 0..=255_u8 {
                let value = Input::new(vec![byte].into(), Values::UInt8).values()[0];
                let level = i32::from(byte) * i32::try_from(multiple).unwrap();
                assert_eq!(grid.snap(value), Ok((level, true)), "{byte} of {multiple}");
            }
            assert_eq!(snapping_loss(&grid, 3072, Values::UInt8, true), 0.0);
            assert!(snapping_loss(&grid, 3072, Values::UInt8, false) > 0.0);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// No float32 x' closer than the served radius is moved out of the proven one.
        #[test]
        fn an_input_inside_the_served_radius_snaps_inside_the_proven(
            levels in prop_oneof![Just(255_u32), Just(65_535), 1..=65_535_u32],
            coordinates in prop::collection::vec((0.0..1.0f64, -8..=8_i32, 0.49..0.51f64), 1..40),
            on_grid: bool,
            slack in 1.0..1.2f64,
        ) {
            let grid = Grid::new(0.0, 1.0, levels).unwrap();
            let step = grid.step();
            #[expect(clippy::cast_possible_truncation, reason = "any value will do")]
            let x: Vec<f32> = coordinates.iter().map(|(at, _, _)| {
                let near = *at as f32;
                if on_grid { grid.to_value(grid.snap(near).unwrap().0) } else { near }
            }).collect();
            // Near the middle between two levels, where a move is as long as it can be, and mostly away from x.
            #[expect(clippy::cast_possible_truncation, reason = "any value will do")]
            let beside: Vec<f32> = x.iter().zip(&coordinates).map(|(value, (_, steps, part))| {
                let level = grid.snap(*value).unwrap().0 + steps;
                (f64::from(level) * step + part.copysign(f64::from(*steps)) * step) as f32
            }).collect();
            let (at, loss) = snapped(&grid, &x);
            let (moved, _) = snapped(&grid, &beside);
            // The least that must have been proven so that x' is inside what is served.
            let proven = (distance(&x, &beside) * slack + loss) * (1.0 + 1e-12);
            if distance(&x, &beside) < served_radius(proven, loss) {
                prop_assert!(grid_distance(&grid, &at, &moved) < proven, "{at:?} {moved:?} {loss}");
            }
        }

        #[test]
        fn values_are_as_far_from_their_levels_as_is_said(low in -50.0_f64..50.0, width in 0.01_f64..100.0, levels in 1_u32..=65_535, part in 0.0_f64..1.0) {
            if let Ok(grid) = Grid::new(low, low + width, levels) {
                #[expect(clippy::cast_possible_truncation, reason = "a level in range")]
                let level = (part * f64::from(levels)) as i32;
                let exact = low + f64::from(level) * grid.step();
                prop_assert!((f64::from(grid.to_value(level)) - exact).abs() <= grid.rounding_distance());
            }
        }
    }
}
