//! The input rows of the self-test: one of every kind that a model may receive.
//!
//! Some flaws show only on certain inputs. A scale that is computed over the batch changes only
//! beside a brighter row. A float16 overflows only where many values are large. So the rows contain
//! each extreme side by side. For a smoothed model they also contain the same rows with noise,
//! which exceeds the input range.

use crate::certificate::noise::NoiseKey;
use crate::classifier::smoothing::smoother::Smoother;
use crate::domain::{Input, InputSpec};
use crate::scheduler::RowSource as _;

/// Computes one value of a row as a fraction of the input range, where 0 is the low end and 1 the
/// high end. `position` runs from 0 to 1 along the row. `draw` is uniform in [0, 1).
type RowPattern = fn(position: f64, draw: f64) -> f64;

const ROW_PATTERNS: [RowPattern; 8] = [
    // Uniform.
    |_, draw| draw,
    // Dark, then bright.
    |_, _| 0.0,
    |_, _| 1.0,
    // Saturated: each value is at one of the two ends.
    |_, draw| if draw < 0.5 { 0.0 } else { 1.0 },
    // Sparse: one value in sixteen is not zero.
    |_, draw| if draw < 1.0 / 16.0 { 16.0 * draw } else { 0.0 },
    // Around mid-grey.
    |_, draw| 0.45 + 0.1 * draw,
    // Smooth, like most of an image or of a sensor signal: a ramp, then a wave.
    |position, draw| 0.02f64.mul_add(draw, 0.97 * position),
    |position, draw| 0.02f64.mul_add(draw, 0.48 * (1.0 + (12.0 * position).sin())),
];

/// Returns one row for each pattern in the range of `spec`. With a `smoother`, each row is followed
/// by the same row on the smoother's grid with noise.
///
/// # Errors
/// Returns a message if the noise cannot be generated.
pub(in crate::classifier) fn self_test_rows(spec: &InputSpec, smoother: Option<&Smoother>) -> Result<Vec<f32>, String> {
    let (dimension, mut random) = (spec.dimension(), SplitMix64(0x5eed));
    let mut rows = Vec::with_capacity(2 * ROW_PATTERNS.len() * dimension);
    for (vote, pattern) in ROW_PATTERNS.into_iter().enumerate() {
        let row: Vec<f32> = (0..dimension)
            .map(|index| value_at(spec, pattern(position(index, dimension), random.draw())))
            .collect();
        rows.extend_from_slice(&row);
        let Some(smoother) = smoother else { continue };
        let snapped = smoother
            .snap(&Input::from_floats(&row))
            .map_err(|error| error.to_string())?;
        let noisy_rows = smoother.noisy_rows(&snapped, &NoiseKey::from_bytes([0; 32]), 0);
        let start = rows.len();
        rows.resize(start + dimension, 0.0);
        noisy_rows.fill(vote, &mut rows[start..])?;
    }
    Ok(rows)
}

/// Returns the value at `fraction` of the way from the low to the high end of the range.
fn value_at(spec: &InputSpec, fraction: f64) -> f32 {
    let value = fraction.clamp(0.0, 1.0).mul_add(spec.high - spec.low, spec.low);
    #[expect(clippy::cast_possible_truncation, reason = "the nearest float32 is meant")]
    let rounded = value.clamp(spec.low, spec.high) as f32;
    rounded
}

/// Returns the position of `index` in a row of `dimension` values, from 0 to 1.
fn position(index: usize, dimension: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "dimensions stay far below 2^53")]
    let position = index as f64 / dimension.max(1) as f64;
    position
}

/// A SplitMix64 generator with a fixed seed. The draws are the same at each start, so the self-test
/// reproduces its findings. No certificate depends on their quality; the keyed generator of the
/// noise is for certificates only.
struct SplitMix64(u64);

impl SplitMix64 {
    /// Returns a number that is uniform in [0, 1).
    fn draw(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let draw = (mixed >> 11) as f64 / 9_007_199_254_740_992.0;
        draw
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::certificate::noise::NoiseSecret;
    use crate::classifier::smoothing::NoiseKeyGenerator;

    fn spec(levels: Option<u32>) -> InputSpec {
        InputSpec {
            name: "input".to_owned(),
            shape: vec![64],
            low: -1.0,
            high: 3.0,
            levels,
        }
    }

    #[test]
    fn the_rows_cover_every_pattern_within_the_range() {
        let rows = self_test_rows(&spec(None), None).unwrap();
        let rows: Vec<&[f32]> = rows.chunks_exact(64).collect();
        assert_eq!(rows.len(), ROW_PATTERNS.len());
        let has = |pattern: &dyn Fn(&[f32]) -> bool| rows.iter().any(|row| pattern(row));
        assert!(has(&|row| row.iter().all(|&value| value <= -1.0)), "dark");
        assert!(has(&|row| row.iter().all(|&value| value >= 3.0)), "bright");
        let at_ends = |row: &[f32]| row.iter().all(|&value| value <= -1.0 || value >= 3.0);
        assert!(
            has(&|row| at_ends(row) && row.contains(&-1.0) && row.contains(&3.0)),
            "saturated"
        );
        let nonzero = |row: &[f32]| row.iter().filter(|&&value| value > -1.0).count();
        assert!(has(&|row| (1..=12).contains(&nonzero(row))), "sparse");
        assert!(
            has(&|row| row.windows(2).all(|pair| (pair[0] - pair[1]).abs() < 0.3)),
            "smooth"
        );
        assert!(
            rows.iter()
                .all(|row| row.iter().all(|value| (-1.0..=3.0).contains(value)))
        );
    }

    #[test]
    fn noisy_rows_exceed_the_range() {
        let spec = spec(Some(64));
        let keys = Arc::new(NoiseKeyGenerator::new(NoiseSecret::new([0; 32])));
        let smoother = Smoother::new(&spec, 0.5, 64, keys).unwrap();
        let rows = self_test_rows(&spec, Some(&smoother)).unwrap();
        assert_eq!(rows.len(), 2 * ROW_PATTERNS.len() * 64);
        assert!(rows.iter().any(|&value| value > 3.0) && rows.iter().any(|&value| value < -1.0));
    }
}
