//! Root finding for bounds: Newton's method locates the root, and a separate check ensures
//! soundness.

use crate::certificate::numerics::directed_probability::LowerBound;
use crate::certificate::numerics::nan_safe::{at_least, at_most};
use crate::certificate::numerics::probability::Probability;

/// The function value and slope that one Newton step needs.
#[derive(Debug, Clone, Copy)]
pub(in crate::certificate) struct NewtonStep {
    /// The function value minus its goal.
    pub(in crate::certificate) residual: f64,
    /// The derivative with respect to the log-odds of p.
    pub(in crate::certificate) slope: f64,
}

/// The largest p for which `rejects` was seen to hold, next to the root that Newton's method finds
/// from `start`.
///
/// Both functions that are solved here (the log of a tail, a divergence) are concave or convex in
/// the log-odds, on the side that makes Newton's iterates approach from below after the first step.
/// Soundness does not depend on that: the result is a point that `rejects` accepts, found by
/// stepping down in doubling steps. If `rejects` accepts no point, the result is the trivial bound.
pub(in crate::certificate) fn lower_root(
    start: Probability,
    newton: impl Fn(Probability) -> NewtonStep,
    rejects: impl Fn(Probability) -> bool,
) -> LowerBound {
    let mut log_odds = log_odds(start);
    for _ in 0..100 {
        let NewtonStep { residual, slope } = newton(Probability::from_log_odds(log_odds));
        let next = log_odds - residual / slope;
        if !next.is_finite() {
            break;
        }
        let settled = (next - log_odds).abs() <= 4.0 * f64::EPSILON * at_least(next.abs(), 1.0);
        log_odds = next;
        if settled {
            break;
        }
    }
    let mut candidate = Probability::from_log_odds(log_odds);
    let mut step = 4.0 * f64::EPSILON;
    // Below the normal range no check is possible, and 0 is close enough.
    while candidate.small >= f64::MIN_POSITIVE {
        if rejects(candidate) {
            return LowerBound::new(candidate);
        }
        if step > 1.0 {
            break;
        }
        candidate = candidate.lowered(step);
        step *= 2.0;
    }
    LowerBound::TRIVIAL
}

fn log_odds(p: Probability) -> f64 {
    let below = libm::log(p.small) - libm::log1p(-p.small);
    if p.upper_half { -below } else { below }
}

/// A first guess of the root from the score interval: the lower root of
/// `(S - t p)^2 = 2 level t p (1 - p)`.
pub(in crate::certificate) fn score_interval_guess(hits: f64, misses: f64, level: f64) -> Probability {
    let votes = hits + misses;
    let spread = (level * level + 2.0 * level * hits * misses / votes).sqrt();
    let denominator = votes + 2.0 * level;
    // Both p and 1 - p are computed without cancellation: the product of the two roots is
    // `S^2 / (t (t + 2 level))`.
    let complement = (misses + level + spread) / denominator;
    let value = hits * hits / votes / (hits + level + spread);
    if value <= complement {
        Probability::from_value(at_most(at_least(value, f64::MIN_POSITIVE), 0.5))
    } else {
        Probability::from_complement(at_most(at_least(complement, f64::MIN_POSITIVE), 0.5))
    }
}
