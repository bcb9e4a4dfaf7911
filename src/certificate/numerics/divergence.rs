//! The Kullback-Leibler divergence of vote counts from a hypothesis.

use crate::certificate::numerics::hit_counts::HitCounts;
use crate::certificate::numerics::probability::Probability;
use crate::certificate::numerics::value_with_error::ValueWithError;

/// `t KL(S/t || p) = S ln(S / (t p)) + F ln(F / (t (1 - p)))`, in nats, for S hits and F misses
/// among `t = S + F`. The error is returned with the value.
///
/// Every likelihood in this folder is this divergence and a few small terms. The two halves nearly
/// cancel when p is near S/t; this form computes each half to a few roundings (Loader, "Fast and
/// accurate computation of binomial probabilities", 2000), with the difference taken on the side
/// where it is exact.
///
/// p is strictly between 0 and 1.
pub(in crate::certificate) fn divergence(counts: HitCounts, p: Probability) -> ValueWithError {
    let HitCounts { hits, misses } = counts;
    let votes = counts.votes();
    // `hits - votes p` with one rounding, computed from the smaller of p and 1 - p, which is exact.
    let excess = if p.upper_half {
        votes.mul_add(p.small, -misses)
    } else {
        votes.mul_add(-p.small, hits)
    };
    let from_hits = weighted_log(hits, votes * p.value(), excess);
    let from_misses = weighted_log(misses, votes * p.complement(), -excess);
    let roundings = 12.0 * f64::EPSILON;
    ValueWithError {
        value: from_hits + from_misses,
        error: roundings * (from_hits.abs() + from_misses.abs()),
    }
}

/// `count ln(count / mean)`, where `excess = count - mean`. Within 10 roundings, relative.
fn weighted_log(count: f64, mean: f64, excess: f64) -> f64 {
    if count == 0.0 {
        return 0.0;
    }
    if excess.abs() <= mean / 2.0 {
        return count * libm::log1p(excess / mean);
    }
    let ratio = count / mean;
    if ratio.is_finite() {
        count * libm::log(ratio)
    } else {
        count * (libm::log(count) - libm::log(mean))
    }
}

/// The derivative of [`divergence`] with respect to the log-odds of p: `t p - S`.
pub(in crate::certificate) fn slope(counts: HitCounts, p: Probability) -> f64 {
    if p.upper_half {
        counts.votes().mul_add(-p.small, counts.misses)
    } else {
        counts.votes().mul_add(p.small, -counts.hits)
    }
}
