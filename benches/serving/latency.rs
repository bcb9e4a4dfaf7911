//! Latency histograms and their quantiles.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Latencies in nanoseconds, to three significant digits.
pub type LatencyHistogram = Histogram<u64>;

/// An empty histogram for latencies of 1 us to 10 minutes.
pub fn latency_histogram() -> anyhow::Result<LatencyHistogram> {
    Ok(Histogram::new_with_bounds(1000, 600_000_000_000, 3)?)
}

/// The quantile `q` in milliseconds.
pub fn quantile_ms(latencies: &LatencyHistogram, q: f64) -> f64 {
    latencies.value_at_quantile(q) as f64 / 1e6
}

/// `time` in milliseconds, divided by `count`.
pub fn ms_per(time: Duration, count: u64) -> f64 {
    time.as_secs_f64() * 1e3 / count.max(1) as f64
}

pub fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
