//! What can be wrong with a grid, a scale or a row.

/// Why noise could not be set up or drawn. Every message names the value that was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NoiseError {
    /// The ends of a grid are not finite, are the wrong way round, or are beyond what f32 noise can hold.
    #[error("grid from {low} to {high}: both ends must be finite and within ±1e30, the high one above the low one")]
    Bounds {
        /// The low end asked for.
        low: f64,
        /// The high end asked for.
        high: f64,
    },
    /// The number of levels of a grid is outside 1..=65536.
    #[error("grid of {levels} levels: must be 1 to 65536")]
    Levels {
        /// The number asked for.
        levels: u32,
    },
    /// Neighbouring levels would become the same f32.
    #[error("grid step {step} between {low} and {high} is finer than f32 can tell apart: use fewer levels")]
    Step {
        /// The distance of neighbouring levels.
        step: f64,
        /// The low end asked for.
        low: f64,
        /// The high end asked for.
        high: f64,
    },
    /// The standard deviation of the noise, in levels, is outside the range that the table covers.
    #[error("noise of {scale} levels (levels * sigma / (high - low)): must be 0.0625 to 32768")]
    Scale {
        /// The standard deviation asked for, in levels.
        scale: f64,
    },
    /// No precision tried could decide a table entry. It cannot happen by chance (below 2^-1000).
    #[error("noise table of scale {scale}: entry {entry} is undecided at {bits} bits")]
    Undecided {
        /// The standard deviation, in levels.
        scale: f64,
        /// The entry k of `T_k`.
        entry: u32,
        /// The fractional bits of the last attempt.
        bits: u32,
    },
    /// A value to be snapped is NaN, infinite, or further from the grid than `MAX_LEVEL` steps.
    #[error("value {value} cannot be placed on the grid")]
    Value {
        /// The value.
        value: f32,
    },
    /// The levels of a row and the place for its values differ in length.
    #[error("row of {levels} levels but room for {out} values")]
    Length {
        /// Coordinates given.
        levels: usize,
        /// Room given.
        out: usize,
    },
    /// A level of a row is so far out that its sum with the noise might not be exact.
    #[error("level {level} of coordinate {coordinate}: must be within ±8388608")]
    Level {
        /// The coordinate, from 0.
        coordinate: usize,
        /// Its level.
        level: i32,
    },
}
