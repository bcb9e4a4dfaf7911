//! The ramp of alpha and `fallback_alpha` from one pair of values to another.

use std::time::{Duration, Instant};

use crate::certificate::{Alpha, MixingWeights};

/// The time between two steps of the weights.
const STEP: Duration = Duration::from_millis(100);

/// A linear ramp. Each step counts at most twice [`STEP`] of elapsed time, so alpha does not jump
/// after the reload loop was busy with something else.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct AlphaRamp {
    from: MixingWeights,
    to: MixingWeights,
    duration: Duration,
    elapsed: Duration,
    last_step: Instant,
}

impl AlphaRamp {
    /// A ramp that starts at `now` with `from` and ends after `duration` with `to`; `None` if the two
    /// pairs of weights are equal or the duration is zero.
    pub(super) fn new(from: MixingWeights, to: MixingWeights, now: Instant, duration: Duration) -> Option<Self> {
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

    /// Takes a step. Returns the weights from now on, and whether the ramp has finished.
    pub(super) fn advance(&mut self, now: Instant) -> (MixingWeights, bool) {
        self.elapsed += now.saturating_duration_since(self.last_step).min(2 * STEP);
        self.last_step = now;
        if self.elapsed >= self.duration {
            return (self.to, true);
        }
        let share = self.elapsed.as_secs_f64() / self.duration.as_secs_f64();
        (self.at(share).unwrap_or(self.to), false)
    }

    /// The weights at `share` of the way. `None` if rounding left their range: a value between two
    /// weights is a weight, and both pairs keep `fallback_alpha` at or below alpha.
    fn at(&self, share: f64) -> Option<MixingWeights> {
        let between = |weight: fn(MixingWeights) -> Alpha| {
            let (from, to) = (weight(self.from).get(), weight(self.to).get());
            Alpha::new(from + (to - from) * share).ok()
        };
        let (alpha, fallback_alpha) = (between(MixingWeights::alpha)?, between(MixingWeights::fallback_alpha)?);
        // Rounding may order two nearly equal weights the wrong way.
        let fallback_alpha = if fallback_alpha > alpha { alpha } else { fallback_alpha };
        MixingWeights::new(alpha, fallback_alpha).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(alpha: f64, fallback_alpha: f64) -> MixingWeights {
        MixingWeights::new(Alpha::new(alpha).unwrap(), Alpha::new(fallback_alpha).unwrap()).unwrap()
    }

    #[test]
    fn every_step_of_a_ramp_keeps_the_fallback_at_or_below_alpha() {
        let ends = [
            (0.9, 0.9),
            (0.1, 0.1),
            (0.7, 0.0),
            (0.3, 0.299_999_999_999_999_93),
            (1.0, 0.0),
        ];
        for (from, to) in ends.iter().flat_map(|from| ends.iter().map(move |to| (*from, *to))) {
            let start = Instant::now();
            let Some(mut ramp) = AlphaRamp::new(weights(from.0, from.1), weights(to.0, to.1), start, 7 * STEP) else {
                continue;
            };
            for step in 1..=7 {
                let (weights, _) = ramp.advance(start + step * STEP);
                assert!(weights.fallback_alpha() <= weights.alpha());
                let (low, high) = (from.1.min(to.1), from.1.max(to.1));
                assert!((low - 1e-12..=high + 1e-12).contains(&weights.fallback_alpha().get()));
            }
        }
    }

    #[test]
    fn a_ramp_is_linear_and_ends_exactly() {
        let (from, to) = (weights(0.9, 0.5), weights(0.1, 0.1));
        let mut now = Instant::now();
        let mut ramp = AlphaRamp::new(from, to, now, 10 * STEP).unwrap();
        for step in 1..10 {
            now += STEP;
            let (now_in_force, finished) = ramp.advance(now);
            let step = f64::from(step);
            assert!((now_in_force.alpha().get() - (0.9 - 0.08 * step)).abs() < 1e-12 && !finished);
            assert!((now_in_force.fallback_alpha().get() - (0.5 - 0.04 * step)).abs() < 1e-12);
        }
        assert_eq!(ramp.advance(now + STEP), (to, true));
    }

    #[test]
    fn a_ramp_does_not_jump_after_a_pause() {
        let (from, to) = (weights(0.9, 0.5), weights(0.1, 0.1));
        let now = Instant::now();
        let mut ramp = AlphaRamp::new(from, to, now, 10 * STEP).unwrap();
        let (now_in_force, finished) = ramp.advance(now + Duration::from_secs(99));
        assert!((now_in_force.alpha().get() - 0.74).abs() < 1e-12 && !finished);
    }

    #[test]
    fn equal_alphas_or_no_duration_make_no_ramp() {
        let (from, to) = (weights(0.9, 0.5), weights(0.1, 0.1));
        assert_eq!(AlphaRamp::new(from, from, Instant::now(), Duration::from_secs(1)), None);
        assert_eq!(AlphaRamp::new(from, to, Instant::now(), Duration::ZERO), None);
    }
}
