//! Finding a bound: Newton's method for the place, a check from outside for the side.

use crate::certificate::numerics::nan_safe::{at_least, at_most};
use crate::certificate::numerics::probability::{LowerBound, Point};

/// What a Newton step needs to know at one point.
#[derive(Debug, Clone, Copy)]
pub(in crate::certificate) struct Newton {
    /// How far the function is above its goal.
    pub(in crate::certificate) residual: f64,
    /// Its derivative by the log-odds of p.
    pub(in crate::certificate) slope: f64,
}

/// The largest p that `rejects` is seen to hold for, next to the root that Newton's method finds from `start`.
///
/// Both functions solved here (the log of a tail, a divergence) are concave or convex in the log-odds, on
/// the side that makes Newton's iterates approach from below after the first step. None of that is relied on
/// for soundness: the answer is whatever `rejects` accepts, found by stepping down in doubling steps. If
/// nothing is accepted the answer is the bound that says nothing.
pub(in crate::certificate) fn lower_root(
    start: Point,
    newton: impl Fn(Point) -> Newton,
    rejects: impl Fn(Point) -> bool,
) -> LowerBound {
    let mut log_odds = log_odds(start);
    for _ in 0..100 {
        let Newton { residual, slope } = newton(Point::from_log_odds(log_odds));
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
    let mut point = Point::from_log_odds(log_odds);
    let mut step = 4.0 * f64::EPSILON;
    // Below the normal range nothing can be checked, and 0 is near enough.
    while point.small >= f64::MIN_POSITIVE {
        if rejects(point) {
            return LowerBound::at(point);
        }
        if step > 1.0 {
            break;
        }
        point = point.lowered(step);
        step *= 2.0;
    }
    LowerBound::NOTHING
}

fn log_odds(p: Point) -> f64 {
    let below = libm::log(p.small) - libm::log1p(-p.small);
    if p.upper_half { -below } else { below }
}

/// A first guess of the root, from the score interval: `(S - t p)^2 = 2 level t p (1 - p)`, lower root.
pub(in crate::certificate) fn score_guess(hits: f64, misses: f64, level: f64) -> Point {
    let votes = hits + misses;
    let spread = (level * level + 2.0 * level * hits * misses / votes).sqrt();
    let denominator = votes + 2.0 * level;
    // Both p and 1 - p, each without cancellation: their product of roots is S^2 / (t (t + 2 level)).
    let complement = (misses + level + spread) / denominator;
    let value = hits * hits / votes / (hits + level + spread);
    if value <= complement {
        Point::from_value(at_most(at_least(value, f64::MIN_POSITIVE), 0.5))
    } else {
        Point::from_complement(at_most(at_least(complement, f64::MIN_POSITIVE), 0.5))
    }
}
