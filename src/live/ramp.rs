//! Alpha on its way from one value to the next.

use std::time::{Duration, Instant};

use crate::certificate::Alpha;

/// A straight line in time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ramp {
    from: Alpha,
    to: Alpha,
    began: Instant,
    takes: Duration,
}

impl Ramp {
    /// From `from` at `now` to `to`, `takes` later; none if there is no way to go or no time to take.
    pub(super) fn new(from: Alpha, to: Alpha, now: Instant, takes: Duration) -> Option<Self> {
        let ramp = Self {
            from,
            to,
            began: now,
            takes,
        };
        (from != to && !takes.is_zero()).then_some(ramp)
    }

    /// Alpha at `now`, and whether that is the end.
    pub(super) fn at(&self, now: Instant) -> (Alpha, bool) {
        let gone = now.saturating_duration_since(self.began);
        if gone >= self.takes {
            return (self.to, true);
        }
        let share = gone.as_secs_f64() / self.takes.as_secs_f64();
        let (from, to) = (self.from.get(), self.to.get());
        // Between two weights there are weights alone; rounding cannot lead out of [0, 1], and if it did the end is one.
        (Alpha::new(from + (to - from) * share).unwrap_or(self.to), false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_is_a_straight_line_that_ends_exactly() {
        let (from, to) = (Alpha::new(0.9).unwrap(), Alpha::new(0.1).unwrap());
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let ramp = Ramp::new(from, to, now, 10 * second).unwrap();
        assert_eq!(ramp.at(now), (from, false));
        let (half, over) = ramp.at(now + 5 * second);
        assert!((half.get() - 0.5).abs() < 1e-12 && !over);
        assert_eq!(ramp.at(now + 10 * second), (to, true));
        assert_eq!(ramp.at(now + 99 * second), (to, true));
    }

    #[test]
    fn without_a_way_or_time_there_is_no_ramp() {
        let (from, to) = (Alpha::new(0.9).unwrap(), Alpha::new(0.1).unwrap());
        assert_eq!(Ramp::new(from, from, Instant::now(), Duration::from_secs(1)), None);
        assert_eq!(Ramp::new(from, to, Instant::now(), Duration::ZERO), None);
    }
}
