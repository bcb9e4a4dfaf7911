//! Exact bounds for a number of votes that is fixed before the first draw.
//!
//! Clopper and Pearson, Biometrika 26 (1934). `lower = BetaInv(delta; S, n - S + 1)`: the p at
//! which S or more hits among n have probability delta. Why not `statrs::inv_beta_reg`: it has no
//! rounding direction and ten digits at best. Here the tail itself is bounded (`beta_tail.rs`), and
//! a candidate counts only if its tail is certainly small enough.

use crate::certificate::error::CertificateError;
use crate::certificate::numerics::beta_tail::{SeriesBounds, beta_tail_series};
use crate::certificate::numerics::directed_probability::{LowerBound, UpperBound};
use crate::certificate::numerics::divergence::divergence;
use crate::certificate::numerics::hit_counts::HitCounts;
use crate::certificate::numerics::nan_safe::at_least;
use crate::certificate::numerics::probability::Probability;
use crate::certificate::numerics::root_finding::{NewtonStep, lower_root, score_interval_guess};
use crate::certificate::numerics::stirling;
use crate::certificate::numerics::value_with_error::ValueWithError;
use crate::certificate::parameters::failure_probability::FailureProbability;
use std::f64::consts::PI;

/// A lower bound on p that holds with probability at least `1 - failure_probability`, given
/// `successes` hits among `trials` independent draws. Rounded down, within 1e-9 of exact relative
/// to both p and `1 - p`.
///
/// The caller must fix `trials` before the first draw: a stop that depends on the votes makes the
/// bound false. Without hits or trials the bound is 0.
///
/// # Errors
/// [`CertificateError::Tally`] if there are more successes than trials, or more than
/// [`MAX_VOTES`](crate::certificate::MAX_VOTES).
pub fn lower(
    successes: u64,
    trials: u64,
    failure_probability: FailureProbability,
) -> Result<LowerBound, CertificateError> {
    let counts = HitCounts::new(successes, trials)?;
    Ok(lower_of(counts, failure_probability))
}

/// An upper bound on p: `BetaInv(1 - delta; S + 1, n - S)`, rounded up; otherwise as [`lower`]. It
/// equals one minus the lower bound for the misses.
///
/// # Errors
/// As [`lower`].
pub fn upper(
    successes: u64,
    trials: u64,
    failure_probability: FailureProbability,
) -> Result<UpperBound, CertificateError> {
    let counts = HitCounts::new(successes, trials)?;
    Ok(lower_of(counts.mirrored(), failure_probability).of_complement())
}

fn lower_of(counts: HitCounts, failure_probability: FailureProbability) -> LowerBound {
    if counts.hits == 0.0 {
        return LowerBound::TRIVIAL;
    }
    let goal = -failure_probability.log_inverse_upper();
    let start = if counts.misses == 0.0 {
        // The tail is p^n and has a closed solution.
        let log_p = goal / counts.hits;
        if log_p < -0.5 {
            Probability::from_value(at_least(libm::exp(log_p), f64::MIN_POSITIVE))
        } else {
            Probability::from_complement(-libm::expm1(log_p))
        }
    } else {
        score_interval_guess(counts.hits, counts.misses, -goal)
    };
    let newton = |p: Probability| {
        let (first, sum) = log_tail(counts, p);
        // The derivative of the log tail is the density over the tail times dp/du = p (1 - p). With
        // D = I'(p), p D = S T.
        NewtonStep {
            residual: first.value + libm::log(sum.upper) - goal,
            slope: counts.hits * p.complement() / sum.upper,
        }
    };
    let rejects = |p: Probability| {
        let (first, sum) = log_tail(counts, p);
        let log_sum = ValueWithError {
            value: libm::log(sum.upper),
            error: f64::EPSILON,
        };
        ValueWithError::sum(&[first, log_sum]).upper() <= goal
    };
    lower_root(start, newton, rejects)
}

/// `P(S or more hits)` at p: the log of its first term, `P(exactly S)`, and the sum relative to
/// that term.
fn log_tail(counts: HitCounts, p: Probability) -> (ValueWithError, SeriesBounds) {
    let HitCounts { hits, misses } = counts;
    let divergence = divergence(counts, p).negated();
    let first = if misses == 0.0 {
        divergence
    } else {
        let votes = counts.votes();
        let normaliser = libm::log(votes / hits / misses / (2.0 * PI)) / 2.0;
        ValueWithError::sum(&[
            divergence,
            stirling::remainder_at_integer(votes),
            stirling::remainder_at_integer(hits).negated(),
            stirling::remainder_at_integer(misses).negated(),
            ValueWithError {
                value: normaliser,
                error: (normaliser.abs() + 2.0) * 2.0 * f64::EPSILON,
            },
        ])
    };
    (
        first,
        beta_tail_series(hits, misses + 1.0, p.value(), p.complement(), 0.0),
    )
}
