//! The inputs of the self-test: of every kind that a model may meet.
//!
//! A flaw shows on some inputs alone: a scale that is taken over the batch changes only beside a brighter mate, and a float16
//! overflows only where much is large. So there are rows of each extreme beside each other, and for a smoothed model the same
//! with its noise, which leaves the range.

use crate::certificate::noise::NoiseKey;
use crate::classifier::smoothing::smoother::Smoother;
use crate::domain::{Input, InputSpec};
use crate::scheduler::RowSource as _;

/// Makes the value at `place`, from 0 to 1 along the row, in units of the range; `draw` is uniform in [0, 1).
type Kind = fn(place: f64, draw: f64) -> f64;

const KINDS: [Kind; 8] = [
    // Uniform.
    |_, draw| draw,
    // Dark; bright.
    |_, _| 0.0,
    |_, _| 1.0,
    // Saturated: each value at one end or the other.
    |_, draw| if draw < 0.5 { 0.0 } else { 1.0 },
    // Sparse: one in sixteen is not zero.
    |_, draw| if draw < 1.0 / 16.0 { 16.0 * draw } else { 0.0 },
    // Around mid-grey.
    |_, draw| 0.45 + 0.1 * draw,
    // Smooth, as most of a picture or of a sensor's trace is: rising, and a wave.
    |place, draw| 0.02f64.mul_add(draw, 0.97 * place),
    |place, draw| 0.02f64.mul_add(draw, 0.48 * (1.0 + (12.0 * place).sin())),
];

/// A few rows of each kind in the range of `spec`; with a `smoother`, each with noise and without, on its grid.
///
/// # Errors
/// In words, if the noise cannot be made.
pub(in crate::classifier) fn test_rows(spec: &InputSpec, smoother: Option<&Smoother>) -> Result<Vec<f32>, String> {
    let (dimension, mut random) = (spec.dimension(), Random(0x5eed));
    let mut rows = Vec::with_capacity(2 * KINDS.len() * dimension);
    for (number, kind) in KINDS.into_iter().enumerate() {
        let row: Vec<f32> = (0..dimension)
            .map(|index| value(spec, kind(part(index, dimension), random.draw())))
            .collect();
        rows.extend_from_slice(&row);
        let Some(smoother) = smoother else { continue };
        let snapped = smoother
            .snap(&Input::from_floats(&row))
            .map_err(|error| error.to_string())?;
        let source = smoother.rows(&snapped, &NoiseKey::from_bytes([0; 32]), 0);
        let start = rows.len();
        rows.resize(start + dimension, 0.0);
        source.fill(number, &mut rows[start..])?;
    }
    Ok(rows)
}

/// What lies `share` of the way from the low to the high end of the range.
fn value(spec: &InputSpec, share: f64) -> f32 {
    let value = share.clamp(0.0, 1.0).mul_add(spec.high - spec.low, spec.low);
    #[expect(clippy::cast_possible_truncation, reason = "the nearest float32 is meant")]
    let rounded = value.clamp(spec.low, spec.high) as f32;
    rounded
}

fn part(index: usize, of: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "dimensions stay far below 2^53")]
    let part = index as f64 / of.max(1) as f64;
    part
}

/// The same draws at each start, so that what a self-test finds it finds again: SplitMix64. Nothing rests on their quality, and the
/// noise's own generator is keyed for certificates alone.
struct Random(u64);

impl Random {
    /// Uniform in [0, 1).
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
    use crate::classifier::NoiseKeyGenerator;

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
    fn there_are_rows_of_every_kind_within_the_range() {
        let rows = test_rows(&spec(None), None).unwrap();
        let rows: Vec<&[f32]> = rows.chunks_exact(64).collect();
        assert_eq!(rows.len(), KINDS.len());
        let has = |kind: &dyn Fn(&[f32]) -> bool| rows.iter().any(|row| kind(row));
        assert!(has(&|row| row.iter().all(|&value| value <= -1.0)), "dark");
        assert!(has(&|row| row.iter().all(|&value| value >= 3.0)), "bright");
        let ends = |row: &[f32]| row.iter().all(|&value| value <= -1.0 || value >= 3.0);
        assert!(
            has(&|row| ends(row) && row.contains(&-1.0) && row.contains(&3.0)),
            "saturated"
        );
        let lit = |row: &[f32]| row.iter().filter(|&&value| value > -1.0).count();
        assert!(has(&|row| (1..=12).contains(&lit(row))), "sparse");
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
    fn noise_leaves_the_range() {
        let spec = spec(Some(64));
        let keys = Arc::new(NoiseKeyGenerator::new(NoiseSecret::new([0; 32])));
        let smoother = Smoother::new(&spec, 0.5, 64, keys).unwrap();
        let rows = test_rows(&spec, Some(&smoother)).unwrap();
        assert_eq!(rows.len(), 2 * KINDS.len() * 64);
        assert!(rows.iter().any(|&value| value > 3.0) && rows.iter().any(|&value| value < -1.0));
    }
}
