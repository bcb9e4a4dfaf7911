//! Limits how often a repeated event writes a log line.

use std::time::{Duration, Instant};

/// The shortest time between two log lines of one throttle.
pub const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Counts the events between two log lines.
#[derive(Debug, Default)]
pub struct LogThrottle {
    last_logged: Option<Instant>,
    unlogged: u64,
}

impl LogThrottle {
    /// Records one event. Returns the number of events since the last log line if a line is due.
    pub fn record(&mut self, now: Instant) -> Option<u64> {
        self.unlogged += 1;
        let is_due = self
            .last_logged
            .is_none_or(|last_logged| now.duration_since(last_logged) >= LOG_INTERVAL);
        is_due.then(|| {
            self.last_logged = Some(now);
            std::mem::take(&mut self.unlogged)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_events_write_one_line() {
        let now = Instant::now();
        let mut throttle = LogThrottle::default();
        assert_eq!(throttle.record(now), Some(1));
        for _ in 0..1000 {
            assert_eq!(throttle.record(now), None);
        }
        assert_eq!(throttle.record(now + LOG_INTERVAL), Some(1001));
    }
}
