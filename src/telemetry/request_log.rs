//! The request log: a line for each call, under the target `certimix::request`.
//!
//! An answered call is logged at `debug`, so the default filter `info` omits it. Failures are logged,
//! but a flood of refused calls must not become a flood of lines: each outcome has a limit of lines
//! per second, and the next line counts the omitted ones. The filter `certimix::request=debug` writes
//! every line.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tracing::Level;

use crate::call::{CallRecord, Outcome};
use crate::domain::{RequestStage, Role};

const TARGET: &str = "certimix::request";
/// The limit of lines per second and outcome, unless the filter writes every line.
const LINES_PER_SECOND: u32 = 10;
/// The number of digits of a config revision in a line.
const REVISION_DIGITS: usize = 12;

/// Writes the request log. Lines hold names, counts and times, never the contents of a request. The
/// message of a status is omitted too, because it may quote the request.
#[derive(Debug)]
pub(super) struct RequestLog {
    start: Instant,
    limits: [LineLimit; Outcome::ALL.len()],
}

macro_rules! line {
    ($level:expr, $call:expr, $trace_id:expr, $left_out:expr) => {{
        let call: &CallRecord = $call;
        let micros = |stage: Option<RequestStage>| stage.map(|stage| micros(stage.took));
        tracing::event!(
            target: TARGET,
            $level,
            request_id = call.id.as_str(),
            message_number = call.message,
            rpc = call.rpc.name(),
            outcome = call.outcome().name(),
            code = call.code.name(),
            refusal = call.refusal.map(|reason| reason.name()),
            inputs = call.inputs,
            certified = call.certificates.certified,
            votes = call.votes,
            config_revision = call.revision.as_deref().map(|revision| revision.get(..REVISION_DIGITS).unwrap_or(revision)),
            alpha = call.alpha,
            fallback_alpha = call.fallback_alpha,
            queue_us = micros(call.timings.queue()),
            standard_us = micros(call.timings.run(Role::Standard)),
            robust_us = micros(call.timings.run(Role::Robust)),
            mixing_us = micros(call.timings.mixing),
            total_us = self::micros(call.total),
            trace_id = $trace_id,
            left_out = $left_out,
            "request"
        );
    }};
}

impl RequestLog {
    /// A log whose limits count seconds from `start`.
    pub(super) fn new(start: Instant) -> Self {
        Self {
            start,
            limits: Outcome::ALL.map(|_| LineLimit::default()),
        }
    }

    /// Writes the line of an ended call, unless the filter or the limit omits it.
    pub(super) fn write(&self, call: &CallRecord, trace_id: Option<&str>) {
        let outcome = call.outcome();
        let level = level(outcome);
        // The first question of most calls, and the last: no lock, no allocation.
        let every_line = tracing::enabled!(target: TARGET, Level::DEBUG);
        if level == Level::DEBUG && !every_line {
            return;
        }
        let left_out = if every_line {
            None
        } else {
            let ended = call.begun + call.total;
            let second = ended.saturating_duration_since(self.start).as_secs();
            let Some(limit) = self.limits.get(outcome as usize) else {
                return;
            };
            match limit.take(u32::try_from(second).unwrap_or(u32::MAX)) {
                Some(left_out) => (left_out > 0).then_some(left_out),
                None => return,
            }
        };
        match level {
            Level::ERROR => line!(Level::ERROR, call, trace_id, left_out),
            Level::WARN => line!(Level::WARN, call, trace_id, left_out),
            Level::INFO => line!(Level::INFO, call, trace_id, left_out),
            _ => line!(Level::DEBUG, call, trace_id, left_out),
        }
    }
}

/// The log level of an outcome, by the party that has to act.
fn level(outcome: Outcome) -> Level {
    match outcome {
        // Nobody has to act: the call succeeded, or its caller cancelled it.
        Outcome::Ok | Outcome::Cancelled => Level::DEBUG,
        // The caller has to act, or the load is too high.
        Outcome::Refused | Outcome::Invalid | Outcome::Deadline => Level::INFO,
        // The server is loading or stopping, or a model is broken, which is logged separately.
        Outcome::Unavailable => Level::WARN,
        Outcome::Failed => Level::ERROR,
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// A limit of lines per second. Its state is one number (the second, and the lines requested in it),
/// so a flood takes no lock.
#[derive(Debug, Default)]
struct LineLimit(AtomicU64);

impl LineLimit {
    /// Requests a line in `second`. Returns the number of lines omitted in the last second that had
    /// lines, or `None` if this line is omitted too.
    fn take(&self, second: u32) -> Option<u32> {
        let next = |state: u64| {
            let (current, requested) = halves(state);
            // Two calls may arrive out of order: the later second stays.
            let requested = if second > current {
                1
            } else {
                requested.saturating_add(1)
            };
            Some(u64::from(second.max(current)) << 32 | u64::from(requested))
        };
        let before = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
            .unwrap_or_else(|state| state);
        let (current, requested) = halves(before);
        if second > current {
            Some(requested.saturating_sub(LINES_PER_SECOND))
        } else {
            (requested < LINES_PER_SECOND).then_some(0)
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the halves of a number")]
fn halves(state: u64) -> (u32, u32) {
    ((state >> 32) as u32, state as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_limited_and_omitted_lines_are_counted() {
        let limit = LineLimit::default();
        let take = |second| limit.take(second);
        assert!((0..LINES_PER_SECOND).all(|_| take(0) == Some(0)));
        assert!((0..1000).all(|_| take(0).is_none()));
        assert_eq!(take(7), Some(1000));
        // A late call of an earlier second.
        assert_eq!(take(6), Some(0));
        assert!((2..LINES_PER_SECOND).all(|_| take(7) == Some(0)));
        assert_eq!(take(7), None);
        assert_eq!(take(8), Some(1));
    }
}
