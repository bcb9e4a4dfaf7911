//! Decides what follows an error: another attempt, smaller requests, or a report. A pure function
//! of the error and the time left.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::cli::client::connection::error_messages::effective_code;

/// The delay before the second attempt, without jitter. A server that gives a retry delay is
/// obeyed, and this comes on top.
const MIN_DELAY: Duration = Duration::from_millis(20);

/// The delays double up to this one.
const MAX_DELAY: Duration = Duration::from_secs(2);

/// The most attempts after the first, whatever the deadline.
const MAX_RETRIES: usize = 20;

/// The most new connections in a row after ones that were closed without an answer.
const MAX_RECONNECTIONS: usize = 3;

/// The longest wait before a request is sent again in parts. The parts have deadlines of their own.
const MAX_WAIT_BEFORE_PARTS: Duration = Duration::from_secs(10);

/// The delays between the attempts of one request. The jitter keeps clients apart that were refused
/// together.
pub(in crate::cli::client) fn backoff() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(MIN_DELAY)
        .with_max_delay(MAX_DELAY)
        .with_max_times(MAX_RETRIES)
        .with_jitter()
        .build()
}

/// A request that failed.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli::client) struct FailedAttempt {
    /// The number of its inputs.
    pub inputs: usize,
    /// The number of attempts before this one.
    pub retries: usize,
    /// The time until the deadline of these inputs.
    pub time_left: Duration,
    /// The delay that [`backoff`] gives; `None` after the last.
    pub delay: Option<Duration>,
}

/// The step that follows an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli::client) enum NextStep {
    /// Send the same request again after this time.
    Retry(Duration),
    /// Send the inputs in two requests after this time, and no more such large requests.
    Halve(Duration),
    /// Send the inputs in two requests, to find the one that fails.
    Isolate,
    /// Report the error of these inputs, and go on with the others.
    Report,
    /// End the command: every other request would fail in the same way.
    Abort,
}

impl NextStep {
    /// The step after `status`.
    pub(in crate::cli::client) fn after(status: &Status, attempt: FailedAttempt) -> Self {
        let is_batch = attempt.inputs > 1;
        match effective_code(status) {
            // OUT_OF_RANGE is the client's own error for a response that is too large.
            Code::ResourceExhausted | Code::OutOfRange => Self::after_lack_of_capacity(status, attempt),
            // Fewer inputs may be answered in the same time.
            Code::DeadlineExceeded if is_batch => Self::Halve(Duration::ZERO),
            Code::DeadlineExceeded => Self::Report,
            Code::InvalidArgument if !is_about_inputs(status) => Self::Abort,
            Code::InvalidArgument | Code::Internal if is_batch => Self::Isolate,
            Code::InvalidArgument | Code::Internal => Self::Report,
            // The server is loading or stopping, or cannot be reached.
            Code::Unavailable => attempt.retry_after(Duration::ZERO).unwrap_or(Self::Abort),
            // The connection was closed. A server that refuses the client's certificate closes every one.
            Code::Unknown | Code::Cancelled | Code::Aborted if attempt.retries < MAX_RECONNECTIONS => {
                attempt.retry_after(Duration::ZERO).unwrap_or(Self::Abort)
            }
            _ => Self::Abort,
        }
    }

    fn after_lack_of_capacity(status: &Status, attempt: FailedAttempt) -> Self {
        let pushback = status.get_details_retry_info().and_then(|retry| retry.retry_delay);
        match (attempt.inputs > 1, pushback) {
            (true, pushback) => {
                let wait = pushback.map_or(Duration::ZERO, |pushback| {
                    pushback.saturating_add(attempt.delay.unwrap_or_default())
                });
                Self::Halve(wait.min(MAX_WAIT_BEFORE_PARTS))
            }
            (false, Some(pushback)) => attempt.retry_after(pushback).unwrap_or(Self::Report),
            // Without a delay the request is too large, so a retry does not help.
            (false, None) => Self::Report,
        }
    }
}

impl FailedAttempt {
    /// A retry after the server's delay and the backoff, if attempts and time are left.
    fn retry_after(self, pushback: Duration) -> Option<NextStep> {
        let delay = pushback.saturating_add(self.delay?);
        (delay < self.time_left).then_some(NextStep::Retry(delay))
    }
}

/// Whether only inputs are wrong, so that other inputs may be valid.
fn is_about_inputs(status: &Status) -> bool {
    let violations = status.get_details_bad_request().map(|bad| bad.field_violations);
    violations.is_some_and(|violations| {
        !violations.is_empty() && violations.iter().all(|violation| violation.field.starts_with("inputs"))
    })
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn attempt(inputs: usize) -> FailedAttempt {
        FailedAttempt {
            inputs,
            retries: 0,
            time_left: 900 * MS,
            delay: Some(30 * MS),
        }
    }

    fn busy(pushback: Duration) -> Status {
        let details = ErrorDetails::with_retry_info(Some(pushback));
        Status::with_error_details(Code::ResourceExhausted, "the queue is full", details)
    }

    fn invalid(field: &str) -> Status {
        let details = ErrorDetails::with_bad_request_violation(field, "wrong");
        Status::with_error_details(Code::InvalidArgument, "wrong", details)
    }

    #[test]
    fn one_input_waits_as_the_server_asks_while_there_is_time() {
        let step = |pushback, attempt| NextStep::after(&busy(pushback), attempt);
        assert_eq!(step(500 * MS, attempt(1)), NextStep::Retry(530 * MS));
        assert_eq!(step(870 * MS, attempt(1)), NextStep::Report);
        let exhausted = FailedAttempt {
            delay: None,
            ..attempt(1)
        };
        assert_eq!(step(500 * MS, exhausted), NextStep::Report);
    }

    #[test]
    fn a_batch_without_capacity_is_halved() {
        assert_eq!(NextStep::after(&busy(500 * MS), attempt(2)), NextStep::Halve(530 * MS));
        assert_eq!(
            NextStep::after(&busy(Duration::MAX), attempt(2)),
            NextStep::Halve(MAX_WAIT_BEFORE_PARTS)
        );
        for too_large in [
            Status::resource_exhausted("message length too large"),
            Status::out_of_range("message length too large"),
        ] {
            assert_eq!(NextStep::after(&too_large, attempt(2)), NextStep::Halve(Duration::ZERO));
            assert_eq!(NextStep::after(&too_large, attempt(1)), NextStep::Report);
        }
    }

    #[test]
    fn a_batch_that_misses_its_deadline_is_halved() {
        let refused = Status::deadline_exceeded("the deadline cannot be met");
        for time_left in [Duration::ZERO, 900 * MS] {
            let late = FailedAttempt {
                time_left,
                ..attempt(8)
            };
            assert_eq!(NextStep::after(&refused, late), NextStep::Halve(Duration::ZERO));
        }
        assert_eq!(NextStep::after(&refused, attempt(1)), NextStep::Report);
    }

    #[test]
    fn a_wrong_input_is_isolated_and_a_wrong_option_ends_the_command() {
        assert_eq!(NextStep::after(&invalid("inputs.data"), attempt(8)), NextStep::Isolate);
        assert_eq!(NextStep::after(&invalid("inputs.data"), attempt(1)), NextStep::Report);
        assert_eq!(NextStep::after(&invalid("target_radius"), attempt(8)), NextStep::Abort);
        assert_eq!(
            NextStep::after(&Status::invalid_argument("no"), attempt(1)),
            NextStep::Abort
        );
        assert_eq!(NextStep::after(&Status::internal("no"), attempt(8)), NextStep::Isolate);
        for fatal in [
            Code::Unauthenticated,
            Code::PermissionDenied,
            Code::Unimplemented,
            Code::NotFound,
        ] {
            assert_eq!(NextStep::after(&Status::new(fatal, "no"), attempt(8)), NextStep::Abort);
        }
    }

    #[test]
    fn a_closed_connection_is_tried_again_within_the_deadline() {
        for closed in [Status::unavailable("draining"), Status::unknown("transport error")] {
            assert_eq!(NextStep::after(&closed, attempt(8)), NextStep::Retry(30 * MS));
            let late = FailedAttempt {
                time_left: 30 * MS,
                ..attempt(8)
            };
            assert_eq!(NextStep::after(&closed, late), NextStep::Abort);
        }
        let fourth = FailedAttempt {
            retries: MAX_RECONNECTIONS,
            ..attempt(1)
        };
        assert_eq!(
            NextStep::after(&Status::unknown("transport error"), fourth),
            NextStep::Abort
        );
        assert_eq!(
            NextStep::after(&Status::unavailable("loading"), fourth),
            NextStep::Retry(30 * MS)
        );
    }

    #[test]
    fn delays_are_bounded_and_jittered() {
        let delays: Vec<Duration> = backoff().collect();
        assert_eq!(delays.len(), MAX_RETRIES);
        assert!(
            delays.iter().all(|delay| (MIN_DELAY..=2 * MAX_DELAY).contains(delay)),
            "{delays:?}"
        );
        assert_ne!(delays, backoff().collect::<Vec<_>>());
    }
}
