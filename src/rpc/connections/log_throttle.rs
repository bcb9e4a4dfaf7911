//! How often the same thing is worth a line in the log.

use std::time::{Duration, Instant};

/// After a line, for so long the rest is only counted.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Counts what happens between two lines.
#[derive(Debug, Default)]
pub(super) struct Pace {
    told: Option<Instant>,
    untold: u64,
}

impl Pace {
    /// It has happened; if it is worth a line now, how often it has since the last.
    pub(super) fn happened(&mut self, now: Instant) -> Option<u64> {
        self.untold += 1;
        let is_due = self.told.is_none_or(|told| now.duration_since(told) >= BETWEEN_LINES);
        is_due.then(|| {
            self.told = Some(now);
            std::mem::take(&mut self.untold)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_make_one_line() {
        let now = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.happened(now), Some(1));
        for _ in 0..1000 {
            assert_eq!(pace.happened(now), None);
        }
        assert_eq!(pace.happened(now + BETWEEN_LINES), Some(1001));
    }
}
