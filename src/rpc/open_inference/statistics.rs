//! Counts the ModelInfer calls since the start, and adds up their times, for ModelStatistics.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::proto::{InferStatistics, ModelStatistics, StatisticDuration};
use super::protocol_constants::MODEL_VERSION;

/// The durations of the steps of one answered request.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct InferDurations {
    /// From the arrival of the request to the encoded response.
    pub(super) total: Duration,
    /// Until an executor took the first rows: [`crate::domain::RequestTimings::queue`].
    pub(super) queue: Duration,
    /// Decoding and checks.
    pub(super) compute_input: Duration,
    /// Both models, the certificate and the mixture, without `queue`.
    pub(super) compute_infer: Duration,
    /// Encoding.
    pub(super) compute_output: Duration,
}

/// The totals of all requests. They lie behind one lock rather than in atomics: an uncontended lock
/// costs less than ten atomic operations, and a reader gets totals of one moment.
#[derive(Debug, Default)]
pub(super) struct InferStatisticsRecorder(Mutex<InferTotals>);

#[derive(Debug, Clone, Default)]
struct InferTotals {
    last_inference_ms: u64,
    inputs: u64,
    success: DurationTotal,
    fail: DurationTotal,
    queue: DurationTotal,
    compute_input: DurationTotal,
    compute_infer: DurationTotal,
    compute_output: DurationTotal,
}

#[derive(Debug, Clone, Copy, Default)]
struct DurationTotal {
    count: u64,
    ns: u64,
}

impl DurationTotal {
    fn add(&mut self, duration: Duration) {
        self.count += 1;
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.ns = self.ns.saturating_add(ns);
    }

    fn encode(self) -> Option<StatisticDuration> {
        let Self { count, ns } = self;
        Some(StatisticDuration { count, ns })
    }
}

impl InferStatisticsRecorder {
    /// Records an answered request with `inputs` inputs.
    pub(super) fn record_success(&self, inputs: usize, durations: InferDurations) {
        let now_ms = now_ms();
        self.with_totals(|totals| {
            totals.last_inference_ms = totals.last_inference_ms.max(now_ms);
            totals.inputs += u64::try_from(inputs).unwrap_or(u64::MAX);
            totals.success.add(durations.total);
            totals.queue.add(durations.queue);
            totals.compute_input.add(durations.compute_input);
            totals.compute_infer.add(durations.compute_infer);
            totals.compute_output.add(durations.compute_output);
        });
    }

    /// Records a request that ended with an error after `total`.
    pub(super) fn record_failure(&self, total: Duration) {
        self.with_totals(|totals| totals.fail.add(total));
    }

    /// The totals so far, for the model `name`.
    pub(super) fn model_statistics(&self, name: &str) -> ModelStatistics {
        let totals = self.with_totals(|totals| totals.clone());
        ModelStatistics {
            name: name.to_owned(),
            version: MODEL_VERSION.to_owned(),
            last_inference: totals.last_inference_ms,
            inference_count: totals.inputs,
            execution_count: totals.success.count,
            inference_stats: Some(InferStatistics {
                success: totals.success.encode(),
                fail: totals.fail.encode(),
                queue: totals.queue.encode(),
                compute_input: totals.compute_input.encode(),
                compute_infer: totals.compute_infer.encode(),
                compute_output: totals.compute_output.encode(),
            }),
        }
    }

    fn with_totals<T>(&self, update: impl FnOnce(&mut InferTotals) -> T) -> T {
        // Additions do not panic, so a poisoned lock still holds valid totals.
        update(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the protocol reports the time of day; nothing depends on it"
)]
fn now_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_add_up() {
        let statistics = InferStatisticsRecorder::default();
        assert_eq!(statistics.model_statistics("m").last_inference, 0);
        let us = Duration::from_micros;
        let durations = InferDurations {
            total: us(10),
            queue: us(1),
            compute_input: us(2),
            compute_infer: us(3),
            compute_output: us(4),
        };
        statistics.record_success(3, durations);
        statistics.record_success(1, durations);
        statistics.record_failure(us(7));
        let reported = statistics.model_statistics("m");
        assert_eq!((reported.name.as_str(), reported.version.as_str()), ("m", "1"));
        assert_eq!((reported.inference_count, reported.execution_count), (4, 2));
        assert!(reported.last_inference > 1_600_000_000_000);
        let sum = |count, ns| Some(StatisticDuration { count, ns });
        let expected = InferStatistics {
            success: sum(2, 20_000),
            fail: sum(1, 7_000),
            queue: sum(2, 2_000),
            compute_input: sum(2, 4_000),
            compute_infer: sum(2, 6_000),
            compute_output: sum(2, 8_000),
        };
        assert_eq!(reported.inference_stats.unwrap(), expected);
    }
}
