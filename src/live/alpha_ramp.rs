//! The ramp of alpha from one value to another.

use std::time::{Duration, Instant};

use crate::certificate::Alpha;

/// The time between two steps of alpha.
const STEP: Duration = Duration::from_millis(100);

/// A linear ramp. Each step counts at most twice [`STEP`] of elapsed time, so alpha does not jump
/// after the reload loop was busy with something else.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct AlphaRamp {
    from: Alpha,
    to: Alpha,
    duration: Duration,
    elapsed: Duration,
    last_step: Instant,
}

impl AlphaRamp {
    /// A ramp that starts at `now` with `from` and ends after `duration` with `to`; `None` if the two
    /// alphas are equal or the duration is zero.
    pub(super) fn new(from: Alpha, to: Alpha, now: Instant, duration: Duration) -> Option<Self> {
        let ramp = Self {
            from,
            to,
            duration,
            elapsed: Duration::ZERO,
            last_step: now,
        };
        (from != to && !duration.is_zero()).then_some(ramp)
    }

    /// The time of the next step.
    pub(super) fn next_step(&self) -> Instant {
        self.last_step + STEP
    }

    /// Takes a step. Returns alpha from now on, and whether the ramp has finished.
    pub(super) fn advance(&mut self, now: Instant) -> (Alpha, bool) {
        self.elapsed += now.saturating_duration_since(self.last_step).min(2 * STEP);
        self.last_step = now;
        if self.elapsed >= self.duration {
            return (self.to, true);
        }
        let share = self.elapsed.as_secs_f64() / self.duration.as_secs_f64();
        let (from, to) = (self.from.get(), self.to.get());
        // A value between two weights is a weight. If rounding ever left [0, 1], the end would do.
        (Alpha::new(from + (to - from) * share).unwrap_or(self.to), false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_is_linear_and_ends_exactly() {
        let (from, to) = (Alpha::new(0.9).unwrap(), Alpha::new(0.1).unwrap());
        let mut now = Instant::now();
        let mut ramp = AlphaRamp::new(from, to, now, 10 * STEP).unwrap();
        for step in 1..10 {
            now += STEP;
            let (alpha, finished) = ramp.advance(now);
            assert!((alpha.get() - (0.9 - 0.08 * f64::from(step))).abs() < 1e-12 && !finished);
        }
        assert_eq!(ramp.advance(now + STEP), (to, true));
    }

    #[test]
    fn a_ramp_does_not_jump_after_a_pause() {
        let (from, to) = (Alpha::new(0.9).unwrap(), Alpha::new(0.1).unwrap());
        let now = Instant::now();
        let mut ramp = AlphaRamp::new(from, to, now, 10 * STEP).unwrap();
        let (alpha, finished) = ramp.advance(now + Duration::from_secs(99));
        assert!((alpha.get() - 0.74).abs() < 1e-12 && !finished);
    }

    #[test]
    fn equal_alphas_or_no_duration_make_no_ramp() {
        let (from, to) = (Alpha::new(0.9).unwrap(), Alpha::new(0.1).unwrap());
        assert_eq!(AlphaRamp::new(from, from, Instant::now(), Duration::from_secs(1)), None);
        assert_eq!(AlphaRamp::new(from, to, Instant::now(), Duration::ZERO), None);
    }
}
