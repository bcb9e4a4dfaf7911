//! Alpha on its way from one value to the next.

use std::time::{Duration, Instant};

use crate::certificate::Alpha;

/// How often alpha moves.
const STEP: Duration = Duration::from_millis(100);

/// A straight line in time: in the time that the ramp itself has seen go by, so that no step is larger than two, however long
/// somebody was busy with something else.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ramp {
    from: Alpha,
    to: Alpha,
    takes: Duration,
    gone: Duration,
    /// When it moved last.
    last: Instant,
}

impl Ramp {
    /// From `from` at `now` to `to`, `takes` later; none if there is no way to go or no time to take.
    pub(super) fn new(from: Alpha, to: Alpha, now: Instant, takes: Duration) -> Option<Self> {
        let ramp = Self {
            from,
            to,
            takes,
            gone: Duration::ZERO,
            last: now,
        };
        (from != to && !takes.is_zero()).then_some(ramp)
    }

    /// When it is to move next.
    pub(super) fn next_step(&self) -> Instant {
        self.last + STEP
    }

    /// Moves on; alpha from now on, and whether that is the end.
    pub(super) fn advance(&mut self, now: Instant) -> (Alpha, bool) {
        self.gone += now.saturating_duration_since(self.last).min(2 * STEP);
        self.last = now;
        if self.gone >= self.takes {
            return (self.to, true);
        }
        let share = self.gone.as_secs_f64() / self.takes.as_secs_f64();
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
        let mut now = Instant::now();
        let mut ramp = Ramp::new(from, to, now, 10 * STEP).unwrap();
        for step in 1..10 {
            now += STEP;
            let (alpha, over) = ramp.advance(now);
            assert!((alpha.get() - (0.9 - 0.08 * f64::from(step))).abs() < 1e-12 && !over);
        }
        assert_eq!(ramp.advance(now + STEP), (to, true));
    }

    #[test]
    fn it_does_not_jump_after_a_pause() {
        let (from, to) = (Alpha::new(0.9).unwrap(), Alpha::new(0.1).unwrap());
        let now = Instant::now();
        let mut ramp = Ramp::new(from, to, now, 10 * STEP).unwrap();
        let (alpha, over) = ramp.advance(now + Duration::from_secs(99));
        assert!((alpha.get() - 0.74).abs() < 1e-12 && !over);
    }

    #[test]
    fn without_a_way_or_time_there_is_no_ramp() {
        let (from, to) = (Alpha::new(0.9).unwrap(), Alpha::new(0.1).unwrap());
        assert_eq!(Ramp::new(from, from, Instant::now(), Duration::from_secs(1)), None);
        assert_eq!(Ramp::new(from, to, Instant::now(), Duration::ZERO), None);
    }
}
