//! Figures over all rounds of a case.

use super::format::{ms, ms_3_decimals};
use crate::closed_loop::ClosedLoopResult;
use crate::latency::{LatencyHistogram, latency_histogram, quantile_ms};
use crate::statistics::median;

/// The median of a figure over the rounds.
pub fn median_of<T>(rounds: &[T], figure: impl Fn(&T) -> f64) -> f64 {
    median(&rounds.iter().map(figure).collect::<Vec<_>>())
}

/// The table cells "p50" and "p99", of the latencies of all rounds together.
pub fn p50_p99<'a>(rounds: impl IntoIterator<Item = &'a LatencyHistogram>) -> anyhow::Result<[String; 2]> {
    let mut all = latency_histogram()?;
    for round in rounds {
        all.add(round)?;
    }
    Ok([0.5, 0.99].map(|q| ms(quantile_ms(&all, q))))
}

/// The processor time of a request on both sides, as text.
pub fn cpu_costs(rounds: &[ClosedLoopResult]) -> String {
    format!(
        "server CPU {} per request, generator {}",
        ms_3_decimals(median_of(rounds, ClosedLoopResult::server_cpu_ms)),
        ms_3_decimals(median_of(rounds, ClosedLoopResult::generator_cpu_ms))
    )
}
