//! The input grid: the f32 value of each integer level.

use super::error::NoiseError;

/// The maximum number of steps. With the widest noise every level is still an integer that f32
/// represents exactly.
pub const MAX_GRID_LEVELS: u32 = 1 << 16;

/// The largest level, in either direction, to which noise is added: 2^23. The widest noise is below
/// 2^19, so the sum is below 2^24. It is exact in `i32`, and exact as an integer in `f32`.
pub const MAX_LEVEL: i32 = 1 << 23;

/// The largest end of a grid. `MAX_LEVEL + 2^19` steps of a one-step grid of this size still fit
/// into f32.
const MAX_END: f64 = 1e30;

/// `levels + 1` equidistant values from `low` to `high`, numbered 0..=`levels`.
///
/// Noise leaves the range, so the numbering continues beyond both ends: level -1 is one step below
/// `low`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InputGrid {
    low: f64,
    high: f64,
    levels: u32,
    /// Always `(high - low) / levels`; stored so that the division happens once.
    step: f64,
}

impl InputGrid {
    /// A grid of `levels` steps between `low` and `high`, in the units of the model's float input.
    ///
    /// uint8 images on [0, 1] use `InputGrid::new(0.0, 1.0, 255)`.
    ///
    /// # Errors
    /// [`NoiseError::Bounds`], [`NoiseError::Levels`], or [`NoiseError::Step`] if the step is too
    /// fine for f32: under 2^-16 of the largest value.
    pub fn new(low: f64, high: f64, levels: u32) -> Result<Self, NoiseError> {
        // NaN fails every comparison in this form, so it is rejected.
        let ordered = low >= -MAX_END && high <= MAX_END && low < high;
        if !ordered {
            return Err(NoiseError::Bounds { low, high });
        }
        if !(1..=MAX_GRID_LEVELS).contains(&levels) {
            return Err(NoiseError::Levels { levels });
        }
        let step = (high - low) / f64::from(levels);
        // Distances refer to the exact values `low + k step`. Their f32 differ from them by up to
        // 2^-24 of their size. A step of 2^-16 of that size keeps the difference under a hundredth
        // of a step, and f32 distinguishes the values.
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

    /// The number of steps from `low` to `high`; the number of levels in the range minus one.
    #[must_use]
    pub fn levels(&self) -> u32 {
        self.levels
    }

    /// The distance of neighbouring levels, in the units of the model's float input.
    #[must_use]
    pub fn step(&self) -> f64 {
        self.step
    }

    /// `sigma` (in the units of the float input) in levels: `levels * sigma / (high - low)`.
    /// [`NoiseTable::new`](super::NoiseTable::new) takes this number and checks its range.
    #[must_use]
    pub fn scale(&self, sigma: f64) -> f64 {
        f64::from(self.levels) * sigma / (self.high - self.low)
    }

    /// The f32 value of level `level`: `low + level * ((high - low) / levels)` in f64, rounded
    /// once.
    ///
    /// Every level has a value, also outside 0..=`levels`. On `[0, 1]` with 255 steps the value of
    /// level `v` is `v as f32 / 255.0`.
    #[inline]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the one rounding to f32 is the purpose")]
    pub fn to_value(&self, level: i32) -> f32 {
        (self.low + f64::from(level) * self.step) as f32
    }

    /// The nearest level to `value`, and whether `value` lies on it exactly.
    ///
    /// Exactly means that [`to_value`](Self::to_value) returns the same number (-0.0 and 0.0 are
    /// the same number). Values outside `low..=high` get levels beyond the ends; the caller decides
    /// whether to clamp them. A snap moves a value by at most
    /// [`snap_distance`](Self::snap_distance).
    ///
    /// # Errors
    /// [`NoiseError::Value`] if `value` is NaN, infinite or more than [`MAX_LEVEL`] steps away from
    /// level 0.
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

    /// An upper bound on `|value - (low + level * step)|` over all snaps, in the units of the float
    /// input.
    ///
    /// It is half a step plus the rounding of the three operations of [`snap`](Self::snap). Each
    /// operation has an error of at most 2^-53 of a number below `2^24 * step` (`new` keeps the
    /// ends within `2^23 * step` of 0); together they are below 2^-26 steps.
    #[must_use]
    pub fn snap_distance(&self) -> f64 {
        self.step * (0.5 + 1.0 / f64::from(1_u32 << 26))
    }

    /// An upper bound on `|to_value(level) - (low + level * step)|` over the levels in range, in
    /// the units of the float input. It is the distance between a value and the exact level on
    /// which it lies.
    ///
    /// Let m be the size of the larger end, or the step if that is larger. The rounding to f32 has
    /// an error of at most 2^-24 m. Below the normal numbers the error is 2^-150, which is no more,
    /// because `new` keeps the step at 2^-126 or above. The operations before it have an error
    /// below 2^-51 m.
    #[must_use]
    pub fn rounding_distance(&self) -> f64 {
        let largest = self.low.abs().max(self.high.abs()).max(self.step);
        largest * (2.0_f64.powi(-24) + 2.0_f64.powi(-50))
    }
}
