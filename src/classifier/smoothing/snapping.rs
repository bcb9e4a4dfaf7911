//! Moves an input to the grid of a smoothed model, and computes the radius that this costs.

use std::sync::Arc;

use crate::certificate::noise::{InputGrid, NoiseError};
use crate::domain::{Input, ValueEncoding};

/// An input on the grid.
#[derive(Clone)]
pub(in crate::classifier) struct SnappedInput {
    /// The level of each value.
    pub(super) levels: Arc<[i32]>,
    /// The deduction from the radius, in the units of the float input. It is 0 if no input of this
    /// kind can lie beside the grid.
    pub(in crate::classifier) loss: f64,
}

impl SnappedInput {
    /// Moves `input` to the nearest points of `grid`.
    pub(super) fn new(grid: &InputGrid, input: &Input) -> Result<Self, NoiseError> {
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
        Ok(Self {
            levels,
            loss: snapping_loss(grid, input.dimension(), input.encoding(), on_grid),
        })
    }
}

/// Returns the deduction from the l2 radius of an input that makes the radius cover every input of
/// the same kind. The result is rounded up.
///
/// The proof covers grid points. The input x of a request and a perturbed input x' both move to
/// their grid points. Let D be the largest distance of a move: `sqrt(d)` times the largest move of
/// one coordinate. The distance of the grid points is at most the distance of the inputs plus both
/// moves:
/// - FLOAT32: x' may lie beside the grid, which costs half a grid diagonal, `D = sqrt(d) step / 2`.
///   An input x beside the grid costs the same again. An input x on the grid costs the rounding of
///   its values to float32, which is less than a hundredth of that.
/// - UINT8: x' consists of bytes, as x does, and all bytes are grid points. The loss is 0. The
///   radius then covers byte inputs, with the distances of `u / 255`.
pub(super) fn snapping_loss(grid: &InputGrid, dimension: usize, encoding: ValueEncoding, on_grid: bool) -> f64 {
    let coordinate_loss = match (encoding, on_grid) {
        (ValueEncoding::UInt8, true) => return 0.0,
        (ValueEncoding::Float32, true) => (grid.snap_distance() + grid.rounding_distance()).next_up(),
        (_, false) => 2.0 * grid.snap_distance(),
    };
    #[expect(clippy::cast_precision_loss, reason = "dimensions stay far below 2^53")]
    let root = (dimension as f64).sqrt().next_up();
    (root * coordinate_loss).next_up()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::certificate::served_radius;

    /// Returns the levels of `values` on `grid` and the snapping loss.
    fn snapped(grid: &InputGrid, values: &[f32]) -> (Vec<i32>, f64) {
        let snaps: Vec<_> = values.iter().map(|&value| grid.snap(value).unwrap()).collect();
        let on_grid = snaps.iter().all(|(_, exact)| *exact);
        let loss = snapping_loss(grid, values.len(), ValueEncoding::Float32, on_grid);
        (snaps.into_iter().map(|(level, _)| level).collect(), loss)
    }

    fn distance(x: &[f32], other: &[f32]) -> f64 {
        let squares = x
            .iter()
            .zip(other)
            .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
        squares.sum::<f64>().sqrt()
    }

    fn grid_distance(grid: &InputGrid, x: &[i32], other: &[i32]) -> f64 {
        let squares = x.iter().zip(other).map(|(a, b)| f64::from(a - b).powi(2));
        squares.sum::<f64>().sqrt() * grid.step()
    }

    /// CIFAR-10 on the grid of bytes with a proven radius of 36/255. The input x' is just over half
    /// a step away in every coordinate. It moves a whole step, which is further than the proven
    /// radius.
    #[test]
    fn an_input_on_the_grid_pays_for_the_move_of_a_perturbed_input() {
        let grid = InputGrid::new(0.0, 1.0, 255).unwrap();
        let proven = 36.0 / 255.0;
        let x = vec![grid.to_value(128); 3072];
        let perturbed = vec![grid.to_value(128) + 0.5005 * (1.0 / 255.0); 3072];
        let (x_levels, loss) = snapped(&grid, &x);
        let (perturbed_levels, _) = snapped(&grid, &perturbed);
        assert!((distance(&x, &perturbed) - 0.1087).abs() < 1e-3);
        assert!(
            grid_distance(&grid, &x_levels, &perturbed_levels) > proven,
            "the move leaves the proven ball"
        );
        assert!(served_radius(proven, loss) <= distance(&x, &perturbed));
        // On the grid of the bundled models the loss is below 0.0005.
        let fine = InputGrid::new(0.0, 1.0, 65_535).unwrap();
        let (_, loss) = snapped(&fine, &vec![fine.to_value(128 * 257); 3072]);
        assert!(loss < 0.0005, "{loss}");
    }

    /// Every byte lies exactly on every grid that accepts bytes, so the loss is 0 for all levels.
    #[test]
    fn byte_inputs_have_no_snapping_loss() {
        for multiple in 1..=257 {
            let grid = InputGrid::new(0.0, 1.0, 255 * multiple).unwrap();
            for byte in 0..=255_u8 {
                let value = Input::new(vec![byte].into(), ValueEncoding::UInt8).values()[0];
                let level = i32::from(byte) * i32::try_from(multiple).unwrap();
                assert_eq!(grid.snap(value), Ok((level, true)), "byte {byte}, multiple {multiple}");
            }
            assert_eq!(snapping_loss(&grid, 3072, ValueEncoding::UInt8, true), 0.0);
            assert!(snapping_loss(&grid, 3072, ValueEncoding::UInt8, false) > 0.0);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// No float32 x' that is closer than the served radius moves out of the proven ball.
        #[test]
        fn an_input_inside_the_served_radius_snaps_inside_the_proven_radius(
            levels in prop_oneof![Just(255_u32), Just(65_535), 1..=65_535_u32],
            coordinates in prop::collection::vec((0.0..1.0f64, -8..=8_i32, 0.49..0.51f64), 1..40),
            on_grid: bool,
            slack in 1.0..1.2f64,
        ) {
            let grid = InputGrid::new(0.0, 1.0, levels).unwrap();
            let step = grid.step();
            #[expect(clippy::cast_possible_truncation, reason = "any value will do")]
            let x: Vec<f32> = coordinates.iter().map(|(position, _, _)| {
                let value = *position as f32;
                if on_grid { grid.to_value(grid.snap(value).unwrap().0) } else { value }
            }).collect();
            // Near the middle between two levels, where a move is longest, and mostly away from x.
            #[expect(clippy::cast_possible_truncation, reason = "any value will do")]
            let perturbed: Vec<f32> = x.iter().zip(&coordinates).map(|(value, (_, steps, fraction))| {
                let level = grid.snap(*value).unwrap().0 + steps;
                (f64::from(level) * step + fraction.copysign(f64::from(*steps)) * step) as f32
            }).collect();
            let (x_levels, loss) = snapped(&grid, &x);
            let (perturbed_levels, _) = snapped(&grid, &perturbed);
            // The smallest proven radius whose served radius contains x'.
            let proven = (distance(&x, &perturbed) * slack + loss) * (1.0 + 1e-12);
            if distance(&x, &perturbed) < served_radius(proven, loss) {
                prop_assert!(
                    grid_distance(&grid, &x_levels, &perturbed_levels) < proven,
                    "{x_levels:?} {perturbed_levels:?} {loss}"
                );
            }
        }

        /// The same for ranges whose float32 ends lie outside, and inputs at those ends.
        #[test]
        fn an_input_beside_the_range_snaps_inside_the_proven_radius(
            low in -3.0..3.0f64,
            width in 0.1..5.0f64,
            levels in prop_oneof![Just(255_u32), Just(4096), 1..=2000_u32],
            ends in prop::collection::vec((any::<bool>(), 0.0..1.0f64), 1..40),
            slack in 1.0..1.2f64,
        ) {
            let spec = crate::domain::InputSpec {
                name: "x".to_owned(), shape: vec![ends.len()], low, high: low + width, levels: Some(levels),
            };
            let Ok(grid) = InputGrid::new(spec.low, spec.high, levels) else { return Ok(()) };
            let accepted = spec.float32_range().accepted_ends();
            let x: Vec<f32> = ends.iter().map(|(is_high, _)| accepted[usize::from(*is_high)]).collect();
            #[expect(clippy::cast_possible_truncation, reason = "any value will do")]
            let perturbed: Vec<f32> = ends.iter().map(|(_, position)| (low + position * width) as f32).collect();
            let (x_levels, loss) = snapped(&grid, &x);
            let (perturbed_levels, _) = snapped(&grid, &perturbed);
            prop_assert!(x_levels.iter().all(|level| *level == 0 || i64::from(*level) == i64::from(levels)));
            let proven = (distance(&x, &perturbed) * slack + loss) * (1.0 + 1e-12);
            if distance(&x, &perturbed) < served_radius(proven, loss) {
                prop_assert!(grid_distance(&grid, &x_levels, &perturbed_levels) < proven);
            }
        }

        #[test]
        fn float_values_are_within_the_rounding_distance_of_their_levels(
            low in -50.0_f64..50.0,
            width in 0.01_f64..100.0,
            levels in 1_u32..=65_535,
            position in 0.0_f64..1.0,
        ) {
            if let Ok(grid) = InputGrid::new(low, low + width, levels) {
                #[expect(clippy::cast_possible_truncation, reason = "a level in range")]
                let level = (position * f64::from(levels)) as i32;
                let exact = low + f64::from(level) * grid.step();
                prop_assert!((f64::from(grid.to_value(level)) - exact).abs() <= grid.rounding_distance());
            }
        }
    }
}
