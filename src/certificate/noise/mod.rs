//! The noise of randomised smoothing, exact on integers and replayable.
//!
//! Textbook smoothing adds floating-point Gaussian noise to a floating-point input, but its proof
//! covers neither (Voráček & Hein, ICLR 2023; Jin et al. 2022). Here both are integers:
//!
//! 1. An input is a vector of **levels** of a [`InputGrid`] (for uint8 images 0..=255 on [0, 1]).
//! 2. The noise of a coordinate is an integer `N`: a Gaussian of standard deviation `s` levels,
//!    rounded to the nearest integer and drawn through an exact 64-bit table ([`NoiseTable`]).
//! 3. `level + N` is an exact `i32`; [`InputGrid::to_value`] turns it into `f32` once.
//!
//! Since `x + round(G) = round(x + G)` for an integer `x`, the votes are the votes of the
//! classifier "F after rounding" under true Gaussian noise, and the smoothing theorem holds for
//! that classifier without change. The remaining difference between the table and the Gaussian is a
//! total-variation distance below `(K + 2) / 2^64` for each coordinate.
//! [`NoiseTable::total_variation_for`] bounds it, and a certificate deducts the bound from its
//! probabilities.
//!
//! Random words come from ChaCha20. A request's [`NoiseKey`] is derived from a [`NoiseSecret`] that
//! never leaves the process. Vote `v` reads stream `v` of that key from its start, so a vote does
//! not depend on which votes were drawn before it. Anyone with the key can draw the same votes
//! again.
//!
//! Processors with AVX-512 or AVX2 draw many coordinates at once (`simd`). The noise is the same bit
//! for bit: almost every word is decided by an approximation that is checked against the exact table
//! when the table is made (`inverse_cdf`), and the others by the table itself.
//!
//! Why not a library: `rand_distr::Normal` draws floats. Their distribution has no stated distance
//! from the Gaussian, and their words per draw vary. The discrete Gaussians on crates.io have
//! another law (`exp(-k^2/2s^2)`), for which the rounding argument above does not hold.
//!
//! The one assumption: ChaCha20's output cannot be distinguished from uniform words. Everything
//! else is proven or counted.

mod chacha;
mod error;
mod fixed_point;
mod input_grid;
#[cfg(target_arch = "x86_64")]
mod inverse_cdf;
mod key;
mod noise_table;
mod noisy_row;
mod normal_distribution;
#[cfg(target_arch = "x86_64")]
mod simd;
mod stream;
mod thresholds;

#[cfg(test)]
mod tests;

pub use error::NoiseError;
pub use input_grid::{InputGrid, MAX_GRID_LEVELS, MAX_LEVEL};
pub use key::{NoiseKey, NoiseSecret};
pub use noise_table::NoiseTable;
pub use noisy_row::{fill_noise, fill_noisy_row};
pub use stream::NoiseStream;
pub use thresholds::{MAX_SCALE, MIN_SCALE};
