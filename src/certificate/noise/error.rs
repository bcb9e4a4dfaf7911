//! Errors for an invalid grid, scale or row.

/// The reason why noise could not be set up or drawn. Every message names the invalid value.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NoiseError {
    /// The ends of a grid are not finite, are in the wrong order, or exceed the range of f32 noise.
    #[error("grid from {low} to {high}: both ends must be finite and within ±1e30, the high one above the low one")]
    Bounds {
        /// The requested low end.
        low: f64,
        /// The requested high end.
        high: f64,
    },
    /// The number of levels of a grid is outside 1..=65536.
    #[error("grid of {levels} levels: must be 1 to 65536")]
    Levels {
        /// The requested number.
        levels: u32,
    },
    /// Neighbouring levels would become the same f32.
    #[error("grid step {step} between {low} and {high} is too fine for f32: use fewer levels")]
    Step {
        /// The distance of neighbouring levels.
        step: f64,
        /// The requested low end.
        low: f64,
        /// The requested high end.
        high: f64,
    },
    /// The standard deviation of the noise, in levels, is outside the table's range.
    #[error("noise of {scale} levels (levels * sigma / (high - low)): must be 0.0625 to 32768")]
    Scale {
        /// The requested standard deviation, in levels.
        scale: f64,
    },
    /// No precision decided a table entry. The probability of this is below 2^-1000.
    #[error("noise table of scale {scale}: entry {entry} is undecided at {bits} bits")]
    Undecided {
        /// The standard deviation, in levels.
        scale: f64,
        /// The entry k of `T_k`.
        entry: u32,
        /// The fractional bits of the last attempt.
        bits: u32,
    },
    /// A value to snap is NaN, infinite, or more than `MAX_LEVEL` steps away from the grid.
    #[error("value {value} cannot be placed on the grid")]
    Value {
        /// The value.
        value: f32,
    },
    /// The number of levels in a row differs from the number of output values.
    #[error("a row of {levels} levels needs as many output values, not {out}")]
    Length {
        /// The number of levels.
        levels: usize,
        /// The number of output values.
        out: usize,
    },
    /// A level is so large that its sum with the noise may not be exact.
    #[error("level {level} of coordinate {coordinate}: must be within ±8388608")]
    Level {
        /// The coordinate, counted from 0.
        coordinate: usize,
        /// Its level.
        level: i32,
    },
}
