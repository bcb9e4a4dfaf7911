//! The declared grid: which integer level stands for which f32.

use super::error::NoiseError;

/// The most steps a grid may have: with the widest noise, every level stays an integer that f32 holds exactly.
pub const MAX_GRID_LEVELS: u32 = 1 << 16;

/// The furthest level, either way, that noise is added to: 2^23. The widest noise is below 2^19, so the sum
/// stays below 2^24: exact in `i32` and exact as an integer in `f32`.
pub const MAX_LEVEL: i32 = 1 << 23;

/// Ends beyond this are refused: `MAX_LEVEL + 2^19` steps of a one-step grid of this size still fit into f32.
const MAX_END: f64 = 1e30;

/// `levels + 1` equidistant values from `low` to `high`, numbered 0..=`levels`.
///
/// The numbering goes on beyond both ends, since noise leaves the range: level -1 is one step below `low`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    low: f64,
    high: f64,
    levels: u32,
    /// Kept so that the division is done once; always `(high - low) / levels`.
    step: f64,
}

impl Grid {
    /// A grid of `levels` steps between `low` and `high`, in the units of the model's float input.
    ///
    /// uint8 images on [0, 1] are `Grid::new(0.0, 1.0, 255)`.
    ///
    /// # Errors
    /// [`NoiseError::Bounds`], [`NoiseError::Levels`], or [`NoiseError::Step`] when the step is too fine for f32: under 2^-16 of the largest value.
    pub fn new(low: f64, high: f64, levels: u32) -> Result<Self, NoiseError> {
        // Written so that NaN fails every comparison and is refused.
        let ordered = low >= -MAX_END && high <= MAX_END && low < high;
        if !ordered {
            return Err(NoiseError::Bounds { low, high });
        }
        if !(1..=MAX_GRID_LEVELS).contains(&levels) {
            return Err(NoiseError::Levels { levels });
        }
        let step = (high - low) / f64::from(levels);
        // Distances are those of the exact values `low + k step`; their f32 are off by up to 2^-24 of their size. A step of
        // 2^-16 of it keeps that under a hundredth of a step, and finer than f32 can tell values apart.
        let finest = low.abs().max(high.abs()) * 2.0_f64.powi(-16);
        if step < finest.max(f64::from(f32::MIN_POSITIVE)) {
            return Err(NoiseError::Step { step, low, high });
        }
        Ok(Self {
            low,
            high,
            levels,
            step,
        })
    }

    /// The value of level 0.
    #[must_use]
    pub fn low(&self) -> f64 {
        self.low
    }

    /// The value of level [`levels`](Self::levels).
    #[must_use]
    pub fn high(&self) -> f64 {
        self.high
    }

    /// The number of steps from `low` to `high`; the number of levels in range less one.
    #[must_use]
    pub fn levels(&self) -> u32 {
        self.levels
    }

    /// The distance of neighbouring levels, in the units of the model's float input.
    #[must_use]
    pub fn step(&self) -> f64 {
        self.step
    }

    /// `sigma` (in the units of the float input) in levels: `levels * sigma / (high - low)`, to be given to
    /// [`NoiseTable::new`](super::NoiseTable::new), which checks its range.
    #[must_use]
    pub fn scale(&self, sigma: f64) -> f64 {
        f64::from(self.levels) * sigma / (self.high - self.low)
    }

    /// The f32 that level `level` stands for: `low + level * ((high - low) / levels)` in f64, rounded once.
    ///
    /// Any level has a value, also outside 0..=`levels`. On `[0, 1]` with 255 steps, level `v` is `v as f32 / 255.0`.
    #[inline]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the one rounding to f32 is the purpose")]
    pub fn to_value(&self, level: i32) -> f32 {
        (self.low + f64::from(level) * self.step) as f32
    }

    /// The nearest level to `value`, and whether `value` lies on it exactly.
    ///
    /// Exactly means that [`to_value`](Self::to_value) gives back the same number (-0.0 and 0.0 are the same number).
    /// Values outside `low..=high` get the levels beyond the ends: clamping them is a decision for the caller.
    /// A snap moves a value by at most [`snap_distance`](Self::snap_distance).
    ///
    /// # Errors
    /// [`NoiseError::Value`] when `value` is NaN, infinite or more than [`MAX_LEVEL`] steps away from level 0.
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked just before")]
    #[expect(clippy::float_cmp, reason = "exact equality is the question asked")]
    pub fn snap(&self, value: f32) -> Result<(i32, bool), NoiseError> {
        let position = ((f64::from(value) - self.low) / self.step).round();
        // NaN fails this comparison too.
        let in_range = position.abs() <= f64::from(MAX_LEVEL);
        if !in_range {
            return Err(NoiseError::Value { value });
        }
        let level = position as i32;
        Ok((level, self.to_value(level) == value))
    }

    /// An upper bound on `|value - (low + level * step)|` over all snaps, in the units of the float input.
    ///
    /// Half a step, and the rounding of the three operations of [`snap`](Self::snap): each is off by at most 2^-53 of a
    /// number below `2^24 * step` (`new` keeps the ends within `2^23 * step` of 0), together below 2^-26 steps.
    #[must_use]
    pub fn snap_distance(&self) -> f64 {
        self.step * (0.5 + 1.0 / f64::from(1_u32 << 26))
    }

    /// An upper bound on `|to_value(level) - (low + level * step)|` over the levels in range, in the units of the float
    /// input: how far a value may be from the level that it lies on exactly.
    ///
    /// With m for the larger end's size, or the step if that is larger, the rounding to f32 is off by at most 2^-24 m
    /// (below the normal numbers by 2^-150, which is no more: `new` keeps the step at 2^-126 or above), and the operations
    /// before it by below 2^-51 m.
    #[must_use]
    pub fn rounding_distance(&self) -> f64 {
        let largest = self.low.abs().max(self.high.abs()).max(self.step);
        largest * (2.0_f64.powi(-24) + 2.0_f64.powi(-50))
    }
}
