//! What ModelStatistics tells: counts and times of the ModelInfer calls since the start, added up.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::VERSION;
use super::proto::{InferStatistics, ModelStatistics, StatisticDuration};

/// Where the time of one answered request went.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spent {
    /// From the first of our code that saw it to the last.
    pub(super) total: Duration,
    /// Until an executor took its first rows: [`crate::domain::RequestTimings::queue`].
    pub(super) queue: Duration,
    /// Reading and checking.
    pub(super) compute_input: Duration,
    /// Both models, the certificate and the mixture, without `queue`.
    pub(super) compute_infer: Duration,
    /// Writing.
    pub(super) compute_output: Duration,
}

/// Sums. Behind a lock and not atomics: one uncontended lock costs less than ten of them, and what is read together was true
/// at one moment.
#[derive(Debug, Default)]
pub(super) struct Statistics(Mutex<Sums>);

#[derive(Debug, Clone, Default)]
struct Sums {
    last_inference_ms: u64,
    inputs: u64,
    success: Sum,
    fail: Sum,
    queue: Sum,
    compute_input: Sum,
    compute_infer: Sum,
    compute_output: Sum,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    count: u64,
    ns: u64,
}

impl Sum {
    fn add(&mut self, duration: Duration) {
        self.count += 1;
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.ns = self.ns.saturating_add(ns);
    }

    fn told(self) -> Option<StatisticDuration> {
        let Self { count, ns } = self;
        Some(StatisticDuration { count, ns })
    }
}

impl Statistics {
    /// A request of so many inputs was answered.
    pub(super) fn answered(&self, inputs: usize, spent: Spent) {
        let now_ms = now_ms();
        self.change(|sums| {
            sums.last_inference_ms = sums.last_inference_ms.max(now_ms);
            sums.inputs += u64::try_from(inputs).unwrap_or(u64::MAX);
            sums.success.add(spent.total);
            sums.queue.add(spent.queue);
            sums.compute_input.add(spent.compute_input);
            sums.compute_infer.add(spent.compute_infer);
            sums.compute_output.add(spent.compute_output);
        });
    }

    /// A request ended with an error after `total`.
    pub(super) fn failed(&self, total: Duration) {
        self.change(|sums| sums.fail.add(total));
    }

    /// The sums so far, of the model that is called `name`.
    pub(super) fn told(&self, name: &str) -> ModelStatistics {
        let sums = self.change(|sums| sums.clone());
        ModelStatistics {
            name: name.to_owned(),
            version: VERSION.to_owned(),
            last_inference: sums.last_inference_ms,
            inference_count: sums.inputs,
            execution_count: sums.success.count,
            inference_stats: Some(InferStatistics {
                success: sums.success.told(),
                fail: sums.fail.told(),
                queue: sums.queue.told(),
                compute_input: sums.compute_input.told(),
                compute_infer: sums.compute_infer.told(),
                compute_output: sums.compute_output.told(),
            }),
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Sums) -> T) -> T {
        // Additions cannot stop half-way.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the protocol tells the time of day; nothing is decided by it"
)]
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_add_up() {
        let statistics = Statistics::default();
        assert_eq!(statistics.told("m").last_inference, 0);
        let us = Duration::from_micros;
        let spent = Spent {
            total: us(10),
            queue: us(1),
            compute_input: us(2),
            compute_infer: us(3),
            compute_output: us(4),
        };
        statistics.answered(3, spent);
        statistics.answered(1, spent);
        statistics.failed(us(7));
        let told = statistics.told("m");
        assert_eq!((told.name.as_str(), told.version.as_str()), ("m", "1"));
        assert_eq!((told.inference_count, told.execution_count), (4, 2));
        assert!(told.last_inference > 1_600_000_000_000);
        let sum = |count, ns| Some(StatisticDuration { count, ns });
        let expected = InferStatistics {
            success: sum(2, 20_000),
            fail: sum(1, 7_000),
            queue: sum(2, 2_000),
            compute_input: sum(2, 4_000),
            compute_infer: sum(2, 6_000),
            compute_output: sum(2, 8_000),
        };
        assert_eq!(told.inference_stats.unwrap(), expected);
    }
}
