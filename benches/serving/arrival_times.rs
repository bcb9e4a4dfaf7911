//! When the requests of an open loop are to be sent, whatever the server does. Pure; `tests/serving_bench.rs` tests it.

use std::time::Duration;

/// Evenly, `rate` a second.
pub fn paced(rate: f64, length: Duration) -> Vec<Duration> {
    bursts(rate, 1, length)
}

/// `size` at once, so often that `rate` come in a second.
pub fn bursts(rate: f64, size: usize, length: Duration) -> Vec<Duration> {
    let gap = Duration::from_secs_f64(size as f64 / rate);
    (0..)
        .map(|burst| gap * burst)
        .take_while(|at| *at < length)
        .flat_map(|at| std::iter::repeat_n(at, size))
        .collect()
}

/// A Poisson process of `rate` a second: independent callers who know nothing of each other.
pub fn poisson(rate: f64, length: Duration, seed: u64) -> Vec<Duration> {
    let mut random = fastrand::Rng::with_seed(seed);
    // ln(1 - u): u may be 0, and is never 1.
    let gaps = std::iter::repeat_with(|| -(1.0 - random.f64()).ln() / rate);
    gaps.scan(0.0, |at, gap| {
        *at += gap;
        Some(*at)
    })
    .take_while(|at| *at < length.as_secs_f64())
    .map(Duration::from_secs_f64)
    .collect()
}
