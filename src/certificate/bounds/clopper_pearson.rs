//! Exact bounds for a number of votes that was fixed beforehand.
//!
//! Clopper and Pearson, Biometrika 26 (1934). `lower = BetaInv(delta; S, n - S + 1)`: the p at which S or more hits
//! among n have probability delta. Why not `statrs::inv_beta_reg`: it has no rounding direction and ten
//! digits at best; here the tail itself is bounded (`beta_tail.rs`), and a candidate counts only once the tail
//! at it is certainly small enough.

use crate::certificate::error::CertificateError;
use crate::certificate::numerics::approx::Approx;
use crate::certificate::numerics::beta_tail::{Series, series};
use crate::certificate::numerics::divergence::divergence;
use crate::certificate::numerics::hit_counts::Counts;
use crate::certificate::numerics::nan_safe::at_least;
use crate::certificate::numerics::probability::{LowerBound, Point, UpperBound};
use crate::certificate::numerics::root_finding::{Newton, lower_root, score_guess};
use crate::certificate::numerics::stirling;
use crate::certificate::parameters::failure_probability::FailureProbability;
use std::f64::consts::PI;

/// A lower bound on p that holds with probability at least `1 - failure_probability`, given `successes` hits among
/// `trials` independent draws. Rounded down, within 1e-9 of exact relative to both p and `1 - p`.
///
/// `trials` must have been fixed before the first draw: stopping early for a reason that depends on the votes
/// makes the bound false. With no hits (or no trials) the bound is 0.
///
/// # Errors
/// [`CertificateError::Tally`] if there are more successes than trials, or more than [`MAX_VOTES`](crate::certificate::MAX_VOTES).
pub fn lower(
    successes: u64,
    trials: u64,
    failure_probability: FailureProbability,
) -> Result<LowerBound, CertificateError> {
    let counts = Counts::new(successes, trials)?;
    Ok(lower_of(counts, failure_probability))
}

/// An upper bound on p: `BetaInv(1 - delta; S + 1, n - S)`, rounded up; otherwise as [`lower`]. It is one minus the
/// lower bound of the misses.
///
/// # Errors
/// As [`lower`].
pub fn upper(
    successes: u64,
    trials: u64,
    failure_probability: FailureProbability,
) -> Result<UpperBound, CertificateError> {
    let counts = Counts::new(successes, trials)?;
    Ok(lower_of(counts.mirrored(), failure_probability).of_complement())
}

fn lower_of(counts: Counts, failure_probability: FailureProbability) -> LowerBound {
    if counts.hits == 0.0 {
        return LowerBound::NOTHING;
    }
    let goal = -failure_probability.log_inverse_upper();
    let start = if counts.misses == 0.0 {
        // The tail is p^n: solved at once.
        let log_p = goal / counts.hits;
        if log_p < -0.5 {
            Point::from_value(at_least(libm::exp(log_p), f64::MIN_POSITIVE))
        } else {
            Point::from_complement(-libm::expm1(log_p))
        }
    } else {
        score_guess(counts.hits, counts.misses, -goal)
    };
    let newton = |p: Point| {
        let (first, sum) = log_tail(counts, p);
        // The density over the tail, times dp/du = p (1 - p): with D = I'(p), p D = S T.
        Newton {
            residual: first.value + libm::log(sum.upper) - goal,
            slope: counts.hits * p.complement() / sum.upper,
        }
    };
    let rejects = |p: Point| {
        let (first, sum) = log_tail(counts, p);
        let log_sum = Approx {
            value: libm::log(sum.upper),
            error: f64::EPSILON,
        };
        Approx::sum(&[first, log_sum]).upper() <= goal
    };
    lower_root(start, newton, rejects)
}

/// `P(S or more hits)` at p: the log of its first term, `P(exactly S)`, and the sum relative to that.
fn log_tail(counts: Counts, p: Point) -> (Approx, Series) {
    let Counts { hits, misses } = counts;
    let divergence = divergence(counts, p).negated();
    let first = if misses == 0.0 {
        divergence
    } else {
        let votes = counts.votes();
        let normaliser = libm::log(votes / hits / misses / (2.0 * PI)) / 2.0;
        Approx::sum(&[
            divergence,
            stirling::whole(votes),
            stirling::whole(hits).negated(),
            stirling::whole(misses).negated(),
            Approx {
                value: normaliser,
                error: (normaliser.abs() + 2.0) * 2.0 * f64::EPSILON,
            },
        ])
    };
    (first, series(hits, misses + 1.0, p.value(), p.complement(), 0.0))
}
