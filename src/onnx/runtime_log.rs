//! Writes the messages of ONNX Runtime to the log of the process.
//!
//! The runtime writes colored lines to standard error by itself. It may write one for each row that a
//! model fails on, so a caller could fill the log. Here each message becomes an event of the target
//! `onnxruntime`, which `log.filter` filters, and each kind of message has a limit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ort::environment::Environment;
use ort::logging::{LogLevel, LoggerFunction};

use crate::domain::LogThrottle;

/// The most kinds with a limit of their own. All further kinds share one.
const MAX_KINDS: usize = 64;
/// The longest part of a message that is logged, in characters.
const MAX_MESSAGE_CHARS: usize = 1000;

/// The lowest level that the runtime formats messages for. The levels below describe each node of each
/// run.
const LOWEST_LEVEL: LogLevel = LogLevel::Warning;

/// The logger that an environment calls, on whichever thread writes a message.
pub(super) fn logger() -> LoggerFunction {
    let throttle = Mutex::new(MessageThrottle::default());
    Arc::new(
        move |level: LogLevel, _category: &str, _id: &str, location: &str, message: &str| {
            // The environment is created with the most verbose level.
            if level < LOWEST_LEVEL {
                return;
            }
            let mut kinds = throttle.lock().unwrap_or_else(PoisonError::into_inner);
            let due = kinds.record(location, Instant::now());
            drop(kinds);
            if let Some(count) = due {
                write(level, location, message, count);
            }
        },
    )
}

/// Stops the runtime from formatting messages that the logger drops.
pub(super) fn limit_messages(environment: &Environment) {
    environment.set_log_level(LOWEST_LEVEL);
}

fn write(level: LogLevel, location: &str, message: &str, count: u64) {
    // A line of the log is one line, whatever the runtime prints.
    let mut message: String = message.chars().take(MAX_MESSAGE_CHARS).collect();
    message.truncate(message.trim_end().len());
    if level == LogLevel::Warning {
        tracing::warn!(target: "onnxruntime", location, count, "{message}");
    } else {
        tracing::error!(target: "onnxruntime", location, count, "{message}");
    }
}

/// Limits the lines of each kind of message. A place in the source of the runtime is a kind.
#[derive(Debug, Default)]
struct MessageThrottle {
    kinds: HashMap<String, LogThrottle>,
    other_kinds: LogThrottle,
}

impl MessageThrottle {
    /// Records a message. Returns the number of messages of its kind since the last line if a line is
    /// due.
    fn record(&mut self, kind: &str, now: Instant) -> Option<u64> {
        if self.kinds.contains_key(kind) || self.kinds.len() < MAX_KINDS {
            self.kinds.entry(kind.to_owned()).or_default().record(now)
        } else {
            self.other_kinds.record(now)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::LOG_INTERVAL;

    #[test]
    fn each_kind_writes_a_line_and_counts_the_omitted_ones() {
        let (mut throttle, now) = (MessageThrottle::default(), Instant::now());
        assert_eq!(throttle.record("a.cc:1", now), Some(1));
        for _ in 0..1000 {
            assert_eq!(throttle.record("a.cc:1", now), None);
        }
        assert_eq!(throttle.record("b.cc:1", now), Some(1));
        assert_eq!(throttle.record("a.cc:1", now + LOG_INTERVAL), Some(1001));
    }

    #[test]
    fn the_lines_of_all_kinds_are_bounded() {
        let (mut throttle, now) = (MessageThrottle::default(), Instant::now());
        let lines = (0..10_000).filter(|kind| throttle.record(&format!("a.cc:{kind}"), now).is_some());
        assert_eq!(lines.count(), MAX_KINDS + 1);
        assert_eq!(throttle.kinds.len(), MAX_KINDS);
    }
}
