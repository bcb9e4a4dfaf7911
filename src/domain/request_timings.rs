//! Where the time of one request went: moments and durations that others read from their clocks.
//!
//! A request waits in the queue, then each model runs its rows, then both outputs are mixed and certified. The models run side by
//! side, so the stages of one request are cut so that they add up on the way that decided when it was answered, the model
//! that was done last: `queue + run of that model + mixing + rest = total`. The other model's run is beside that.

use std::time::{Duration, Instant};

use super::{PerRole, Role};

/// When rows of one model were asked for and done: of one job, or of all jobs of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecutionWindow {
    /// The first rows began to wait.
    pub submitted: Instant,
    /// An executor took the first rows.
    pub taken: Instant,
    /// The model was done with the last ones.
    pub done: Instant,
}

impl ExecutionWindow {
    /// Both: from the first beginning to the last end.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            submitted: self.submitted.min(other.submitted),
            taken: self.taken.min(other.taken),
            done: self.done.max(other.done),
        }
    }
}

/// A part of a request's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestStage {
    /// When it began.
    pub start: Instant,
    /// How long it took.
    pub took: Duration,
}

impl RequestStage {
    /// From `start` to `end`.
    #[must_use]
    pub fn between(start: Instant, end: Instant) -> Self {
        Self {
            start,
            took: end.saturating_duration_since(start),
        }
    }

    /// The first beginning, and both durations.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            start: self.start.min(other.start),
            took: self.took.saturating_add(other.took),
        }
    }
}

/// Where the time of one request went, as far as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RequestTimings {
    /// Of each model's rows.
    pub models: PerRole<Option<ExecutionWindow>>,
    /// Mixing and certifying. Of a request of many inputs by votes: the sum over its inputs, and the first one's start; what is
    /// certified between votes is part of the robust run.
    pub mixing: Option<RequestStage>,
}

impl RequestTimings {
    /// Until an executor took the first rows of the model that was done last. What later rows wait, behind those of their own
    /// request too, is part of that model's run.
    #[must_use]
    pub fn queue(&self) -> Option<RequestStage> {
        let last = self.last()?;
        Some(RequestStage::between(last.submitted, last.taken))
    }

    /// From the first of a model's rows taken to the last one done. For a single row that is the batch it was in.
    #[must_use]
    pub fn run(&self, role: Role) -> Option<RequestStage> {
        self.models[role].map(|window| RequestStage::between(window.taken, window.done))
    }

    /// What is left of `total`: reading, checking, admission, waking and writing.
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

    /// Those of two inputs of one request.
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
    fn the_stages_add_up_on_the_way_of_the_model_that_was_done_last() {
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
    fn many_inputs_span_from_the_first_to_the_last() {
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
