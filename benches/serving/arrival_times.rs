//! The times at which an open loop sends its requests, independent of the server.
//!
//! These functions are pure; `tests/serving_bench.rs` tests them.

use std::time::Duration;

/// `rate` requests a second at even intervals.
pub fn evenly_spaced(rate: f64, length: Duration) -> Vec<Duration> {
    bursts(rate, 1, length)
}

/// Bursts of `size` requests at one moment, `rate` requests a second on average.
pub fn bursts(rate: f64, size: usize, length: Duration) -> Vec<Duration> {
    let gap = Duration::from_secs_f64(size as f64 / rate);
    (0..)
        .map(|burst| gap * burst)
        .take_while(|at| *at < length)
        .flat_map(|at| std::iter::repeat_n(at, size))
        .collect()
}

/// A Poisson process of `rate` requests a second, which models independent callers.
pub fn poisson(rate: f64, length: Duration, seed: u64) -> Vec<Duration> {
    let mut random = fastrand::Rng::with_seed(seed);
    // The argument is 1 - u because u may be 0 and is never 1.
    let gaps = std::iter::repeat_with(|| -(1.0 - random.f64()).ln() / rate);
    gaps.scan(0.0, |at, gap| {
        *at += gap;
        Some(*at)
    })
    .take_while(|at| *at < length.as_secs_f64())
    .map(Duration::from_secs_f64)
    .collect()
}
