//! The request log: a line for each call, under the target `certimix::request`.
//!
//! At the default filter, `info`, a call that was answered says nothing: that is `debug`. What went wrong is told, but a flood
//! of callers that are refused must not be a flood of lines, so each outcome has some lines a second and the next line says how
//! many were left out. Whoever turns on `certimix::request=debug` gets every line.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tracing::Level;

use super::call::{CallRecord, Outcome};
use crate::domain::{RequestStage, Role};

const TARGET: &str = "certimix::request";
/// Lines a second for one outcome, unless every line is asked for.
const LINES: u32 = 10;
/// Of a revision's 64 digits, in a line.
const SHORT: usize = 12;

/// Tells of calls. Lines hold names, counts and times, never what was sent; not even the message of a status, which may quote it.
#[derive(Debug)]
pub(super) struct RequestLog {
    began: Instant,
    allowances: [Allowance; Outcome::ALL.len()],
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
            config_revision = call.revision.as_deref().map(|revision| revision.get(..SHORT).unwrap_or(revision)),
            alpha = call.alpha,
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
    /// Since when it counts seconds.
    pub(super) fn new(began: Instant) -> Self {
        Self {
            began,
            allowances: Outcome::ALL.map(|_| Allowance::default()),
        }
    }

    /// A line for a call that has ended, if it is worth one.
    pub(super) fn tell(&self, call: &CallRecord, trace_id: Option<&str>) {
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
            let second = ended.saturating_duration_since(self.began).as_secs();
            let Some(allowance) = self.allowances.get(outcome as usize) else {
                return;
            };
            match allowance.take(u32::try_from(second).unwrap_or(u32::MAX)) {
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

/// How loud an outcome is: whose it is to act.
fn level(outcome: Outcome) -> Level {
    match outcome {
        // As it should be; and a caller that left is a caller's decision.
        Outcome::Ok | Outcome::Cancelled => Level::DEBUG,
        // The caller's, or the load's.
        Outcome::Refused | Outcome::Invalid | Outcome::Deadline => Level::INFO,
        // Loading or stopping, or a model that is broken, which has a line of its own.
        Outcome::Unavailable => Level::WARN,
        Outcome::Failed => Level::ERROR,
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Some lines a second. One number, so that a flood takes no lock: the second, and how many lines were asked for in it.
#[derive(Debug, Default)]
struct Allowance(AtomicU64);

impl Allowance {
    /// Takes a line of `second`: how many were left out in the last second that had any, or none if this one is left out.
    fn take(&self, second: u32) -> Option<u32> {
        let next = |state: u64| {
            let (of, asked) = parts(state);
            // A call that ended just before another may ask just after it: the later second stands.
            let asked = if second > of { 1 } else { asked.saturating_add(1) };
            Some(u64::from(second.max(of)) << 32 | u64::from(asked))
        };
        let before = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
            .unwrap_or_else(|state| state);
        let (of, asked) = parts(before);
        if second > of {
            Some(asked.saturating_sub(LINES))
        } else {
            (asked < LINES).then_some(0)
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the halves of a number")]
fn parts(state: u64) -> (u32, u32) {
    ((state >> 32) as u32, state as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_some_lines_a_second_and_what_was_left_out_is_told() {
        let allowance = Allowance::default();
        let told = |second| allowance.take(second);
        assert!((0..LINES).all(|_| told(0) == Some(0)));
        assert!((0..1000).all(|_| told(0).is_none()));
        assert_eq!(told(7), Some(1000));
        // A straggler of a second that is over.
        assert_eq!(told(6), Some(0));
        assert!((2..LINES).all(|_| told(7) == Some(0)));
        assert_eq!(told(7), None);
        assert_eq!(told(8), Some(1));
    }
}
