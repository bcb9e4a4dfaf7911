//! Bounds that hold at every moment at once, so that votes may stop whenever it suits.
//!
//! A mixture of likelihood ratios over Beta(1/2, 1/2) is a martingale under the hypothesis p with mean 1; by Ville's
//! inequality it ever reaches `1/delta` with probability at most delta. Robbins, Ann. Math. Statist. 41 (1970);
//! Howard, Ramdas and others, Ann. Statist. 49 (2021). Derivations: `docs/concepts/certificates.md`.

use crate::certificate::error::CertificateError;
use crate::certificate::numerics::approx::Approx;
use crate::certificate::numerics::beta_tail::series;
use crate::certificate::numerics::divergence::{divergence, slope};
use crate::certificate::numerics::hit_counts::Counts;
use crate::certificate::numerics::nan_safe::{at_least, lower_or_nothing};
use crate::certificate::numerics::probability::{LowerBound, Point, UpperBound};
use crate::certificate::numerics::root_finding::{Newton, lower_root, score_guess};
use crate::certificate::numerics::stirling;
use crate::certificate::parameters::failure_probability::FailureProbability;
use std::f64::consts::{FRAC_2_PI, PI};

/// A lower bound on p from `votes_for_class` hits among `votes`: the lower root of `M_t(p) = 1/delta`, rounded down,
/// within 1e-9 of exact relative to both p and `1 - p`.
///
/// With probability at least `1 - failure_probability` it holds at every t together with [`upper`] of the same class,
/// so the largest lower bound seen so far is valid too. Without votes, or without hits, the bound is 0.
///
/// # Errors
/// [`CertificateError::Tally`] if there are more hits than votes, or more than [`MAX_VOTES`](crate::certificate::MAX_VOTES).
pub fn lower(
    votes_for_class: u64,
    votes: u64,
    failure_probability: FailureProbability,
) -> Result<LowerBound, CertificateError> {
    let counts = Counts::new(votes_for_class, votes)?;
    Ok(lower_of(counts, failure_probability))
}

/// An upper bound on p: the upper root of `M_t(p) = 1/delta`, rounded up; otherwise as [`lower`]. It is one minus the
/// lower bound of the misses.
///
/// # Errors
/// As [`lower`].
pub fn upper(
    votes_for_class: u64,
    votes: u64,
    failure_probability: FailureProbability,
) -> Result<UpperBound, CertificateError> {
    let counts = Counts::new(votes_for_class, votes)?;
    Ok(lower_of(counts.mirrored(), failure_probability).of_complement())
}

fn lower_of(counts: Counts, failure_probability: FailureProbability) -> LowerBound {
    if counts.hits == 0.0 {
        return LowerBound::NOTHING;
    }
    // M_t(p) >= 1/delta where the divergence exceeds this level.
    let threshold = Approx {
        value: failure_probability.log_inverse_upper(),
        error: 0.0,
    };
    let level = Approx::sum(&[threshold, occam(counts).negated()]).upper();
    let newton = |p: Point| Newton {
        residual: divergence(counts, p).value - level,
        slope: slope(counts, p),
    };
    let rejects = |p: Point| divergence(counts, p).lower() >= level;
    lower_root(score_guess(counts.hits, counts.misses, level), newton, rejects)
}

/// `ln M_t(p) = ln B(1/2 + S, 1/2 + F) - ln B(1/2, 1/2) - S ln p - F ln(1 - p)`, with its error.
fn log_mixture(counts: Counts, p: Point) -> Approx {
    Approx::sum(&[divergence(counts, p), occam(counts)])
}

/// `ln M_t(p)` less the divergence: what not knowing p costs, minus `ln(t pi / 2) / 2` and small terms. Needs a vote.
fn occam(counts: Counts) -> Approx {
    let votes = counts.votes();
    let leading = -libm::log(votes * (PI / 2.0)) / 2.0;
    Approx::sum(&[
        Approx {
            value: leading,
            error: (leading.abs() + 1.0) * 2.0 * f64::EPSILON,
        },
        stirling::half(counts.hits),
        stirling::half(counts.misses),
        stirling::whole(votes).negated(),
    ])
}

/// The evidence, as a natural logarithm rounded down, against "p is at most p0", from `votes_for_class` hits among
/// `votes`: `ln M_t(p0)` plus `ln [1 - I_p0(1/2 + S, 1/2 + t - S)] / [1 - I_p0(1/2, 1/2)]`.
///
/// At `ln(1/delta)` or more, at whatever moment, p > p0 is accepted; false with probability at most delta. It is the
/// mixture over Beta(1/2, 1/2) restricted to q > p0: every likelihood ratio of q to p0 has mean at most 1 when p <= p0.
/// Without votes the evidence is 0; where p0 is 1, so nothing can exceed it, minus infinity. Within 1e-9 relative
/// of exact (absolute below 1).
///
/// # Errors
/// As [`lower`].
pub fn target_log_e_value(votes_for_class: u64, votes: u64, p0: UpperBound) -> Result<f64, CertificateError> {
    let counts = Counts::new(votes_for_class, votes)?;
    Ok(log_e_value(counts, p0.point(), f64::NEG_INFINITY))
}

/// Whether the evidence reaches `ln(1/delta)`.
pub(in crate::certificate) fn target_accepted(
    counts: Counts,
    p0: UpperBound,
    failure_probability: FailureProbability,
) -> bool {
    let needed = failure_probability.log_inverse_upper();
    log_e_value(counts, p0.point(), needed) >= needed
}

/// The evidence, rounded down; minus infinity if it is certainly below `needed`, which is cheap to see.
fn log_e_value(counts: Counts, p0: Point, needed: f64) -> f64 {
    if counts.votes() == 0.0 {
        return if needed > 0.0 { f64::NEG_INFINITY } else { 0.0 };
    }
    if p0.complement() < f64::MIN_POSITIVE {
        return f64::NEG_INFINITY;
    }
    // p0 = 0 would divide by zero, and testing a larger p0 is only harder.
    let p0 = if p0.small < f64::MIN_POSITIVE {
        Point::from_value(f64::MIN_POSITIVE)
    } else {
        p0
    };
    let mixture = log_mixture(counts, p0);
    let prior = log_prior_tail(p0);
    let untruncated = Approx::sum(&[mixture, prior.negated()]);
    if untruncated.upper() < needed {
        return f64::NEG_INFINITY;
    }
    let evidence = (log_mass_above(counts, p0, mixture) - prior.upper()).next_down();
    // A NaN is no evidence; nor is infinity, which only an overflow can be.
    lower_or_nothing(evidence)
}

/// `ln [1 - I_p0(1/2, 1/2)] = ln [(2 / pi) asin sqrt(1 - p0)]`.
fn log_prior_tail(p0: Point) -> Approx {
    // Near p0 = 0 the arcsine is steep but its argument is then 1 to within p0; use acos(sqrt p) = asin(sqrt(1 - p)).
    let angle = if p0.upper_half {
        libm::asin(libm::sqrt(p0.small))
    } else {
        libm::acos(libm::sqrt(p0.small))
    };
    let value = libm::log(FRAC_2_PI * angle);
    Approx {
        value,
        error: (value.abs() + 8.0) * 2.0 * f64::EPSILON,
    }
}

/// `ln (M_t(p0) [1 - I_p0(1/2 + S, 1/2 + F)])`, rounded down: the mixture's part above p0.
fn log_mass_above(counts: Counts, p0: Point, mixture: Approx) -> f64 {
    let (p, q) = (p0.value(), p0.complement());
    let Counts { hits, misses } = counts;
    // The first term of I_p0 is p0^(S + 1/2) (1 - p0)^(F - 1/2) / ((S + 1/2) B(S + 1/2, F + 1/2)),
    // and p0^S (1 - p0)^F / B(S + 1/2, F + 1/2) is 1 / (pi M). So it is `first / M`.
    let roundings = 16.0 * f64::EPSILON;
    if hits + 0.5 >= p * (counts.votes() + 1.0) {
        // p0 lies below the posterior's bulk: sum the part below, and subtract.
        let first = libm::exp(-mixture.lower()) * libm::sqrt(p / q) / (PI * (hits + 0.5)) * (1.0 + roundings);
        let below = first * series(hits + 0.5, misses + 0.5, p, q, 1e-14 / first).upper;
        let above = at_least((1.0 - below.next_up()).next_down(), 0.0);
        (mixture.lower() + libm::log(above).next_down()).next_down()
    } else {
        // p0 lies above it: sum the part above. M cancels, so nothing can overflow.
        let first = libm::sqrt(q / p) / (PI * (misses + 0.5)) * (1.0 - roundings);
        let above = first * series(misses + 0.5, hits + 0.5, q, p, 0.0).lower;
        libm::log(above.next_down()).next_down()
    }
}
