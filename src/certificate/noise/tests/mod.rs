//! Tests of the noise: exactness against high precision, statistics against the distribution, and
//! replay.
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
mod samples;
mod sampling;
#[cfg(target_arch = "x86_64")]
mod simd;
mod statistics;
