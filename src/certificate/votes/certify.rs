//! Votes to bounds to a radius, within one failure probability.
//!
//! The failure probability is divided as follows (proofs in `docs/concepts/certificates.md`):
//!
//! | sides | target test | for `p_lower` | for `p_upper` | for the test |
//! |---|---|---|---|---|
//! | one | no | all | (implied) | |
//! | one | yes | half | (implied) | half |
//! | two | none | half | half | |
//!
//! The bound on the runner-up uses the largest other count, without division by the number of
//! classes. The bound grows with the count, and the largest count is at least the count of the
//! class that is truly second.

use crate::certificate::bounds::anytime;
use crate::certificate::bounds::clopper_pearson;
use crate::certificate::bounds::total_variation::{discount_total_variation, raised_by_total_variation};
use crate::certificate::error::CertificateError;
use crate::certificate::numerics::directed_probability::{LowerBound, UpperBound};
use crate::certificate::numerics::hit_counts::HitCounts;
use crate::certificate::numerics::radius::Radius;
use crate::certificate::parameters::failure_probability::FailureProbability;
use crate::certificate::radii::smoothing::{required_p, required_p_theorem2, theorem2_radius, tight_radius};
use crate::certificate::votes::smoothing_plan::{BoundMethod, RadiusMethod, Sides, SmoothingPlan};
use crate::certificate::votes::tally::Tally;

/// Bounds on the probabilities of the exact smoothed network. Both hold at once with probability at
/// least `1 - failure_probability`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProbabilityBounds {
    /// At most `h_y`.
    pub p_lower: LowerBound,
    /// At least every other `h_i`, and at most `1 - p_lower`.
    pub p_upper: UpperBound,
}

/// The radius that the votes prove, and the bounds behind it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SmoothedRadius {
    /// In the units of the float input, l2, rounded down. 0 is no certificate.
    pub radius: f64,
    /// The bound on `h_y`.
    pub p_lower: LowerBound,
    /// The bound on every other class.
    pub p_upper: UpperBound,
    /// Whether the votes prove the plan's target radius.
    pub target_accepted: bool,
}

/// The bounds that the estimation votes prove.
///
/// # Errors
/// [`CertificateError`] for an invalid plan or contradictory counts.
pub fn probability_bounds(plan: &SmoothingPlan, tally: Tally) -> Result<ProbabilityBounds, CertificateError> {
    plan.check()?;
    tally.check()?;
    let all = plan.failure_probability;
    let share = if plan.has_target_test() || plan.sides == Sides::TwoSided {
        all.half()
    } else {
        all
    };
    let (lower, upper) = match plan.bound_method {
        BoundMethod::Anytime => (
            anytime::lower(tally.votes_for_class, tally.votes, share)?,
            match plan.sides {
                Sides::OneSided => UpperBound::TRIVIAL,
                Sides::TwoSided => anytime::upper(tally.votes_for_runner_up, tally.votes, share)?,
            },
        ),
        BoundMethod::ClopperPearson { votes } if votes == tally.votes => (
            clopper_pearson::lower(tally.votes_for_class, votes, share)?,
            match plan.sides {
                Sides::OneSided => UpperBound::TRIVIAL,
                Sides::TwoSided => clopper_pearson::upper(tally.votes_for_runner_up, votes, share)?,
            },
        ),
        BoundMethod::ClopperPearson { .. } => (LowerBound::TRIVIAL, UpperBound::TRIVIAL),
    };
    let (p_lower, p_upper) = discount_total_variation(lower, upper, plan.total_variation);
    Ok(ProbabilityBounds {
        p_lower,
        p_upper: p_upper.stronger(p_lower.of_complement()),
    })
}

/// The radius that the estimation votes prove, and whether it reaches the target.
///
/// With the anytime method each call is valid at any number of votes, and all calls on one sequence
/// of votes hold at once, so the caller may keep the largest radius.
///
/// # Errors
/// [`CertificateError`] for an invalid plan or contradictory counts.
pub fn certify(plan: &SmoothingPlan, tally: Tally) -> Result<SmoothedRadius, CertificateError> {
    let ProbabilityBounds {
        mut p_lower,
        mut p_upper,
    } = probability_bounds(plan, tally)?;
    let tested = target_test(plan, tally)?;
    if let Some(p0) = tested {
        p_lower = p_lower.stronger(p0);
        p_upper = p_upper.stronger(p_lower.of_complement());
    }
    let mut radius = radius_of(plan, p_lower, p_upper);
    if let (Some(_), Some(target)) = (tested, plan.target_radius) {
        // The test proved p > p0, and p0 is rounded up; the radius recomputed from p0 may be a
        // rounding too small.
        radius = Radius::new(radius).larger(Radius::new(target)).get();
    }
    let target_accepted = plan.target_radius.is_some_and(|target| radius >= target);
    Ok(SmoothedRadius {
        radius,
        p_lower,
        p_upper,
        target_accepted,
    })
}

/// The plan's radius from bounds on the exact smoothed network.
#[must_use]
pub fn radius_of(plan: &SmoothingPlan, p_lower: LowerBound, p_upper: UpperBound) -> f64 {
    match plan.radius_method {
        RadiusMethod::Tight => tight_radius(plan.alpha, plan.sigma, p_lower, p_upper),
        RadiusMethod::Theorem2 => theorem2_radius(plan.alpha, plan.sigma, p_lower, p_upper),
    }
}

/// The probability p0 that `h_y` must exceed for the plan's target radius, from `h_y` alone; `None`
/// without a target.
#[must_use]
pub fn target_probability(plan: &SmoothingPlan) -> Option<UpperBound> {
    plan.target_radius.map(|target| match plan.radius_method {
        RadiusMethod::Tight => required_p(plan.alpha, plan.sigma, target),
        RadiusMethod::Theorem2 => required_p_theorem2(plan.alpha, plan.sigma, target),
    })
}

/// The lower bound on `h_y` that the target test proves; `None` if the plan has no such test or the
/// test does not accept.
fn target_test(plan: &SmoothingPlan, tally: Tally) -> Result<Option<LowerBound>, CertificateError> {
    if !plan.has_target_test() {
        return Ok(None);
    }
    let Some(p0) = target_probability(plan) else {
        return Ok(None);
    };
    // The votes are about the drawn noise. Its probability must exceed p0 by the total variation.
    let sampled = raised_by_total_variation(p0, plan.total_variation);
    let counts = HitCounts::new(tally.votes_for_class, tally.votes)?;
    let share: FailureProbability = plan.failure_probability.half();
    Ok(anytime::target_accepted(counts, sampled, share).then(|| p0.as_lower()))
}
