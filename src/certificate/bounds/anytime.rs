//! Bounds that hold at every number of votes at once, so that drawing may stop at any time.
//!
//! A mixture of likelihood ratios over Beta(1/2, 1/2) is a martingale with mean 1 under the
//! hypothesis p. By Ville's inequality it ever reaches `1/delta` with probability at most delta.
//! Robbins, Ann. Math. Statist. 41 (1970); Howard, Ramdas and others, Ann. Statist. 49 (2021).
//! Derivations: `docs/concepts/certificates.md`.

use crate::certificate::error::CertificateError;
use crate::certificate::numerics::beta_tail::beta_tail_series;
use crate::certificate::numerics::directed_probability::{LowerBound, UpperBound};
use crate::certificate::numerics::divergence::{divergence, slope};
use crate::certificate::numerics::hit_counts::HitCounts;
use crate::certificate::numerics::nan_safe::{at_least, finite_or_neg_infinity};
use crate::certificate::numerics::probability::Probability;
use crate::certificate::numerics::root_finding::{NewtonStep, lower_root, score_interval_guess};
use crate::certificate::numerics::stirling;
use crate::certificate::numerics::value_with_error::ValueWithError;
use crate::certificate::parameters::failure_probability::FailureProbability;
use std::f64::consts::{FRAC_2_PI, PI};

/// A lower bound on p from `votes_for_class` hits among `votes`: the lower root of
/// `M_t(p) = 1/delta`, rounded down, within 1e-9 of exact relative to both p and `1 - p`.
///
/// With probability at least `1 - failure_probability` this bound and [`upper`] of the same class
/// hold at every t at once, so the largest lower bound so far is valid too. Without votes or
/// without hits the bound is 0.
///
/// # Errors
/// [`CertificateError::Tally`] if there are more hits than votes, or more than
/// [`MAX_VOTES`](crate::certificate::MAX_VOTES).
pub fn lower(
    votes_for_class: u64,
    votes: u64,
    failure_probability: FailureProbability,
) -> Result<LowerBound, CertificateError> {
    let counts = HitCounts::new(votes_for_class, votes)?;
    Ok(lower_of(counts, failure_probability))
}

/// An upper bound on p: the upper root of `M_t(p) = 1/delta`, rounded up; otherwise as [`lower`].
/// It equals one minus the lower bound for the misses.
///
/// # Errors
/// As [`lower`].
pub fn upper(
    votes_for_class: u64,
    votes: u64,
    failure_probability: FailureProbability,
) -> Result<UpperBound, CertificateError> {
    let counts = HitCounts::new(votes_for_class, votes)?;
    Ok(lower_of(counts.mirrored(), failure_probability).of_complement())
}

fn lower_of(counts: HitCounts, failure_probability: FailureProbability) -> LowerBound {
    if counts.hits == 0.0 {
        return LowerBound::TRIVIAL;
    }
    // M_t(p) >= 1/delta where the divergence exceeds this level.
    let threshold = ValueWithError {
        value: failure_probability.log_inverse_upper(),
        error: 0.0,
    };
    let level = ValueWithError::sum(&[threshold, log_occam_factor(counts).negated()]).upper();
    let newton = |p: Probability| NewtonStep {
        residual: divergence(counts, p).value - level,
        slope: slope(counts, p),
    };
    let rejects = |p: Probability| divergence(counts, p).lower() >= level;
    lower_root(score_interval_guess(counts.hits, counts.misses, level), newton, rejects)
}

/// `ln M_t(p) = ln B(1/2 + S, 1/2 + F) - ln B(1/2, 1/2) - S ln p - F ln(1 - p)`, with its error.
fn log_mixture(counts: HitCounts, p: Probability) -> ValueWithError {
    ValueWithError::sum(&[divergence(counts, p), log_occam_factor(counts)])
}

/// `ln M_t(p)` minus the divergence: `-ln(t pi / 2) / 2` and small terms. This is the cost of
/// averaging over p. Needs at least one vote.
fn log_occam_factor(counts: HitCounts) -> ValueWithError {
    let votes = counts.votes();
    let leading = -libm::log(votes * (PI / 2.0)) / 2.0;
    ValueWithError::sum(&[
        ValueWithError {
            value: leading,
            error: (leading.abs() + 1.0) * 2.0 * f64::EPSILON,
        },
        stirling::remainder_at_half_integer(counts.hits),
        stirling::remainder_at_half_integer(counts.misses),
        stirling::remainder_at_integer(votes).negated(),
    ])
}

/// The evidence, as a natural logarithm rounded down, against "p is at most p0", from
/// `votes_for_class` hits among `votes`: `ln M_t(p0)` plus
/// `ln [1 - I_p0(1/2 + S, 1/2 + t - S)] / [1 - I_p0(1/2, 1/2)]`.
///
/// At `ln(1/delta)` or more, at any number of votes, p > p0 is accepted; this is false with
/// probability at most delta. The e-value is the mixture over Beta(1/2, 1/2) restricted to q > p0:
/// every likelihood ratio of q to p0 has mean at most 1 when p <= p0. Without votes the evidence is
/// 0. It is minus infinity where p0 is 1, since no probability exceeds 1. Within 1e-9 relative of
/// exact (absolute below 1).
///
/// # Errors
/// As [`lower`].
pub fn target_log_e_value(votes_for_class: u64, votes: u64, p0: UpperBound) -> Result<f64, CertificateError> {
    let counts = HitCounts::new(votes_for_class, votes)?;
    Ok(log_e_value(counts, p0.probability(), f64::NEG_INFINITY))
}

/// Whether the evidence reaches `ln(1/delta)`.
pub(in crate::certificate) fn target_accepted(
    counts: HitCounts,
    p0: UpperBound,
    failure_probability: FailureProbability,
) -> bool {
    let needed = failure_probability.log_inverse_upper();
    log_e_value(counts, p0.probability(), needed) >= needed
}

/// The evidence, rounded down; minus infinity if it is certainly below `needed`, which a cheap test
/// shows.
fn log_e_value(counts: HitCounts, p0: Probability, needed: f64) -> f64 {
    if counts.votes() == 0.0 {
        return if needed > 0.0 { f64::NEG_INFINITY } else { 0.0 };
    }
    if p0.complement() < f64::MIN_POSITIVE {
        return f64::NEG_INFINITY;
    }
    // p0 = 0 would divide by zero. A larger p0 is only harder to reject.
    let p0 = if p0.small < f64::MIN_POSITIVE {
        Probability::from_value(f64::MIN_POSITIVE)
    } else {
        p0
    };
    let mixture = log_mixture(counts, p0);
    let prior = log_prior_tail(p0);
    let untruncated = ValueWithError::sum(&[mixture, prior.negated()]);
    if untruncated.upper() < needed {
        return f64::NEG_INFINITY;
    }
    let evidence = (log_mass_above(counts, p0, mixture) - prior.upper()).next_down();
    // A NaN is no evidence. An infinity can only be an overflow, so it is no evidence either.
    finite_or_neg_infinity(evidence)
}

/// `ln [1 - I_p0(1/2, 1/2)] = ln [(2 / pi) asin sqrt(1 - p0)]`.
fn log_prior_tail(p0: Probability) -> ValueWithError {
    // Near p0 = 0 the arcsine is steep and its argument is within p0 of 1;
    // `acos(sqrt p) = asin(sqrt(1 - p))` keeps the digits.
    let angle = if p0.upper_half {
        libm::asin(libm::sqrt(p0.small))
    } else {
        libm::acos(libm::sqrt(p0.small))
    };
    let value = libm::log(FRAC_2_PI * angle);
    ValueWithError {
        value,
        error: (value.abs() + 8.0) * 2.0 * f64::EPSILON,
    }
}

/// `ln (M_t(p0) [1 - I_p0(1/2 + S, 1/2 + F)])`, rounded down: the part of the mixture above p0.
fn log_mass_above(counts: HitCounts, p0: Probability, mixture: ValueWithError) -> f64 {
    // The first term of I_p0 is
    // `p0^(S + 1/2) (1 - p0)^(F - 1/2) / ((S + 1/2) B(S + 1/2, F + 1/2))`, and
    // `p0^S (1 - p0)^F / B(S + 1/2, F + 1/2)` is `1 / (pi M)`. So the term is `first / M`.
    let (p, q) = (p0.value(), p0.complement());
    let HitCounts { hits, misses } = counts;
    let roundings = 16.0 * f64::EPSILON;
    if hits + 0.5 >= p * (counts.votes() + 1.0) {
        // p0 lies below the bulk of the posterior: sum the part below, and subtract.
        let first = libm::exp(-mixture.lower()) * libm::sqrt(p / q) / (PI * (hits + 0.5)) * (1.0 + roundings);
        let below = first * beta_tail_series(hits + 0.5, misses + 0.5, p, q, 1e-14 / first).upper;
        let above = at_least((1.0 - below.next_up()).next_down(), 0.0);
        (mixture.lower() + libm::log(above).next_down()).next_down()
    } else {
        // p0 lies above the bulk: sum the part above. M cancels, so nothing can overflow.
        let first = libm::sqrt(q / p) / (PI * (misses + 0.5)) * (1.0 - roundings);
        let above = first * beta_tail_series(misses + 0.5, hits + 0.5, q, p, 0.0).lower;
        libm::log(above.next_down()).next_down()
    }
}
