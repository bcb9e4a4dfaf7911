//! Tests of the noise: exactness against high precision, statistics against the law, and the promises of replay.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_lossless,
    reason = "a test fails by panicking, and its numbers are small"
)]

mod exact_thresholds;
mod grid_and_rows;
mod keys;
mod python_reference;
mod sampling;
mod statistics;

use super::{NoiseKey, NoiseTable, fill_noise};

/// The key of bytes 0, 1, ..., 31.
fn counting_key() -> NoiseKey {
    NoiseKey::from_bytes(std::array::from_fn(|i| i as u8))
}

/// `count` noise values of one vote.
fn noise(table: &NoiseTable, key: &NoiseKey, vote: u64, count: usize) -> Vec<i32> {
    let mut out = vec![0; count];
    fill_noise(table, key, vote, &mut out);
    out
}

/// Phi in f64 by the `libm` crate, which shares nothing with the table's fixed-point series.
fn phi(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}
