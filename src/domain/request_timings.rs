//! The stages of one request: instants and durations that callers read from their clocks.
//!
//! A request waits in the queue, then each model runs its rows, then both outputs are mixed and
//! certified. The models run at the same time. The stages therefore follow the critical path, which
//! is the path of the model that finished last, and add up:
//! `queue + run of that model + mixing + rest = total`. The run of the other model overlaps them.

use std::time::{Duration, Instant};

use super::{PerRole, Role};

/// The submission, start and end of one model's rows, for one job or for all jobs of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecutionWindow {
    /// The first rows entered the queue.
    pub submitted: Instant,
    /// An executor took the first rows.
    pub taken: Instant,
    /// The model finished the last rows.
    pub done: Instant,
}

impl ExecutionWindow {
    /// Both windows together: from the first submission to the last end.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            submitted: self.submitted.min(other.submitted),
            taken: self.taken.min(other.taken),
            done: self.done.max(other.done),
        }
    }
}

/// One stage of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestStage {
    /// The start of the stage.
    pub start: Instant,
    /// The duration of the stage.
    pub took: Duration,
}

impl RequestStage {
    /// The stage from `start` to `end`.
    #[must_use]
    pub fn between(start: Instant, end: Instant) -> Self {
        Self {
            start,
            took: end.saturating_duration_since(start),
        }
    }

    /// The earlier start, and the sum of both durations.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            start: self.start.min(other.start),
            took: self.took.saturating_add(other.took),
        }
    }
}

/// The stages that a request has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RequestTimings {
    /// The window of each model's rows.
    pub models: PerRole<Option<ExecutionWindow>>,
    /// Mixing and certifying. For a request with many voted inputs: the sum over its inputs, and
    /// the first start. Certification between votes counts as part of the robust run.
    pub mixing: Option<RequestStage>,
}

impl RequestTimings {
    /// The wait until an executor took the first rows of the model that finished last. Later rows
    /// may wait behind rows of their own request; that wait counts as part of the model's run.
    #[must_use]
    pub fn queue(&self) -> Option<RequestStage> {
        let last = self.last()?;
        Some(RequestStage::between(last.submitted, last.taken))
    }

    /// From the first of a model's rows taken to the last row done. For a single row this is the
    /// run of its batch.
    #[must_use]
    pub fn run(&self, role: Role) -> Option<RequestStage> {
        self.models[role].map(|window| RequestStage::between(window.taken, window.done))
    }

    /// The remainder of `total`: reading, validation, admission, wake-ups and writing.
    #[must_use]
    pub fn rest(&self, total: Duration) -> Duration {
        let models = self
            .last()
            .map(|last| last.done.saturating_duration_since(last.submitted));
        let mixing = self.mixing.map(|mixing| mixing.took);
        total
            .saturating_sub(models.unwrap_or_default())
            .saturating_sub(mixing.unwrap_or_default())
    }

    /// The timings of two inputs of one request together.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            models: PerRole::of(|role| either(self.models[role], other.models[role], ExecutionWindow::merge)),
            mixing: either(self.mixing, other.mixing, RequestStage::merge),
        }
    }

    fn last(&self) -> Option<ExecutionWindow> {
        let windows = [self.models.standard, self.models.robust];
        windows.into_iter().flatten().max_by_key(|window| window.done)
    }
}

fn either<T>(one: Option<T>, other: Option<T>, both: impl FnOnce(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(both(one, other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(begin: Instant, [submitted, taken, done]: [u64; 3]) -> ExecutionWindow {
        let at = |milliseconds| begin + Duration::from_millis(milliseconds);
        ExecutionWindow {
            submitted: at(submitted),
            taken: at(taken),
            done: at(done),
        }
    }

    #[test]
    fn the_stages_on_the_critical_path_add_up_to_the_total() {
        let (begin, ms) = (Instant::now(), Duration::from_millis);
        // One executor: the robust row waits for the standard one.
        let timings = RequestTimings {
            models: PerRole {
                standard: Some(window(begin, [1, 2, 6])),
                robust: Some(window(begin, [1, 6, 9])),
            },
            mixing: Some(RequestStage::between(begin + ms(10), begin + ms(12))),
        };
        let (queue, robust) = (timings.queue().unwrap(), timings.run(Role::Robust).unwrap());
        assert_eq!((queue.start, queue.took), (begin + ms(1), ms(5)));
        assert_eq!((robust.start, robust.took), (begin + ms(6), ms(3)));
        assert_eq!(timings.run(Role::Standard).unwrap().took, ms(4));
        let rest = timings.rest(ms(15));
        assert_eq!(queue.took + robust.took + ms(2) + rest, ms(15));
        assert_eq!(RequestTimings::default().rest(ms(15)), ms(15));
    }

    #[test]
    fn merged_timings_span_from_the_first_to_the_last() {
        let (begin, ms) = (Instant::now(), Duration::from_millis);
        let one = RequestTimings {
            models: PerRole {
                standard: None,
                robust: Some(window(begin, [1, 5, 6])),
            },
            mixing: Some(RequestStage::between(begin + ms(6), begin + ms(7))),
        };
        let other = RequestTimings {
            models: PerRole {
                standard: None,
                robust: Some(window(begin, [2, 3, 9])),
            },
            mixing: Some(RequestStage::between(begin + ms(9), begin + ms(12))),
        };
        let both = one.merge(other);
        assert_eq!(both.models.robust, Some(window(begin, [1, 3, 9])));
        assert_eq!(both.models.standard, None);
        assert_eq!(
            both.mixing,
            Some(RequestStage {
                start: begin + ms(6),
                took: ms(4)
            })
        );
        assert_eq!(both.merge(RequestTimings::default()), both);
    }
}
