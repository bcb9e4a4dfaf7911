//! The key and the draws that several tests share, and a reference for Phi.

use crate::certificate::noise::{NoiseKey, NoiseTable, fill_noise};

/// The key of bytes 0, 1, ..., 31.
pub(super) fn counting_key() -> NoiseKey {
    NoiseKey::from_bytes(std::array::from_fn(|i| i as u8))
}

/// `count` noise values of one vote.
pub(super) fn noise(table: &NoiseTable, key: &NoiseKey, vote: u64, count: usize) -> Vec<i32> {
    let mut out = vec![0; count];
    fill_noise(table, key, vote, &mut out);
    out
}

/// Phi in f64 from the `libm` crate, which is independent of the table's fixed-point series.
pub(super) fn phi(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}
