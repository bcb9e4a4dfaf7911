//! Tells the log of rows that are not what they should be: at once, and then now and then.

use std::time::{Duration, Instant};

use crate::domain::RowFlaws;

/// Between two lines about one model of one executor.
const INTERVAL: Duration = Duration::from_secs(60);

/// Of one model on one executor.
#[derive(Debug, Default)]
pub(super) struct FlawLog {
    /// Not told yet.
    held: RowFlaws,
    told: Option<Instant>,
}

impl FlawLog {
    /// Adds `found` at `now`; what a line should say, if it is time for one.
    pub(super) fn add(&mut self, found: RowFlaws, now: Instant) -> Option<RowFlaws> {
        self.held += found;
        if self
            .told
            .is_some_and(|told| now.saturating_duration_since(told) < INTERVAL)
        {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_none_is_forgotten() {
        let (mut log, start) = (FlawLog::default(), Instant::now());
        let found = RowFlaws {
            not_finite: 2,
            not_probabilities: 1,
        };
        assert_eq!(log.add(found, start), Some(found));
        assert_eq!(log.add(found, start + INTERVAL / 3), None);
        assert_eq!(log.add(found, start + INTERVAL / 2), None);
        let all = log.add(found, start + INTERVAL).unwrap();
        assert_eq!((all.not_finite, all.not_probabilities), (6, 3));
    }
}
