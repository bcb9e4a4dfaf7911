//! Limits the log lines about flawed rows: the first at once, later ones at an interval.

use std::time::{Duration, Instant};

use crate::domain::OutputRowFlaws;

/// The shortest time between two lines about one model of one executor.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// The flawed rows of one model on one executor.
#[derive(Debug, Default)]
pub(super) struct RowFlawLog {
    /// Flaws that are not logged yet.
    unlogged: OutputRowFlaws,
    last_logged: Option<Instant>,
}

impl RowFlawLog {
    /// Adds `found` at `now`. Returns the flaws to log if a line is due.
    pub(super) fn add(&mut self, found: OutputRowFlaws, now: Instant) -> Option<OutputRowFlaws> {
        self.unlogged += found;
        if self
            .last_logged
            .is_some_and(|logged| now.saturating_duration_since(logged) < LOG_INTERVAL)
        {
            return None;
        }
        self.last_logged = Some(now);
        Some(std::mem::take(&mut self.unlogged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_flaw_is_logged_at_once_and_all_are_counted() {
        let (mut log, start) = (RowFlawLog::default(), Instant::now());
        let found = OutputRowFlaws {
            not_finite: 2,
            not_probabilities: 1,
        };
        assert_eq!(log.add(found, start), Some(found));
        assert_eq!(log.add(found, start + LOG_INTERVAL / 3), None);
        assert_eq!(log.add(found, start + LOG_INTERVAL / 2), None);
        let all = log.add(found, start + LOG_INTERVAL).unwrap();
        assert_eq!((all.not_finite, all.not_probabilities), (6, 3));
    }
}
