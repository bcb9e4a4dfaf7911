//! The largest target radius that any votes can prove, and the cap on the target of Predict.

use crate::certificate::error::CertificateError;
use crate::certificate::parameters::sigma::Sigma;
use crate::certificate::votes::certify::certify;
use crate::certificate::votes::served_radius::radius_to_prove;
use crate::certificate::votes::smoothing_plan::{BoundMethod, Sides, SmoothingPlan};
use crate::certificate::votes::tally::Tally;

/// The cap on the target of Predict, as a share of the largest provable target.
///
/// At the largest target itself every vote of the budget must be for the class. At this share an
/// input on which the robust network is sure reaches the target with votes to spare.
pub const TARGET_CAP_SHARE: f64 = 0.75;

/// No vote count of [`MAX_VOTES`](crate::certificate::MAX_VOTES) or fewer proves a radius of this
/// many standard deviations: a quantile of 40 has a tail of 1e-350.
const MOST_SIGMAS: f64 = 40.0;

/// The bisection ends at an interval of this many standard deviations.
const RESOLUTION_IN_SIGMAS: f64 = 1e-9;

/// Whether some votes prove the target radius `target`, less `snapping_loss`: whether `vote_budget`
/// votes prove it that are all for the class. The function ignores the plan's own target and sides.
///
/// # Errors
/// [`CertificateError`] for an invalid plan, target or vote budget.
pub fn is_provable_target(
    plan: &SmoothingPlan,
    vote_budget: u64,
    snapping_loss: f64,
    target: f64,
) -> Result<bool, CertificateError> {
    let plan = SmoothingPlan {
        // One side is enough: unanimous votes prove with it whatever they prove with two.
        sides: Sides::OneSided,
        target_radius: Some(radius_to_prove(target, snapping_loss)),
        bound_method: match plan.bound_method {
            BoundMethod::Anytime => BoundMethod::Anytime,
            BoundMethod::ClopperPearson { .. } => BoundMethod::ClopperPearson { votes: vote_budget },
        },
        ..*plan
    };
    let unanimous = Tally::default().filled_up_to(vote_budget);
    Ok(certify(&plan, unanimous)?.target_accepted)
}

/// The largest target radius that `vote_budget` votes can prove, within 1e-9 sigma and never too
/// large; 0 if they can prove none. In the units of the float input. The function ignores the
/// plan's own target and sides.
///
/// # Errors
/// [`CertificateError`] for an invalid plan or vote budget.
pub fn largest_target(plan: &SmoothingPlan, vote_budget: u64, snapping_loss: f64) -> Result<f64, CertificateError> {
    let sigma = Sigma::get(plan.sigma);
    if !plan.alpha.can_certify() {
        return Ok(0.0);
    }
    let (mut provable, mut too_large) = (0.0, MOST_SIGMAS * sigma);
    while too_large - provable > RESOLUTION_IN_SIGMAS * sigma {
        let middle = f64::midpoint(provable, too_large);
        if is_provable_target(plan, vote_budget, snapping_loss, middle)? {
            provable = middle;
        } else {
            too_large = middle;
        }
    }
    Ok(provable)
}

/// `configured`, or [`TARGET_CAP_SHARE`] of the largest provable target if that is smaller; `None`
/// if no target can be proven. In the units of the float input.
///
/// The cap depends on nothing that is drawn, so it is fixed before the first vote.
///
/// # Errors
/// [`CertificateError`] for an invalid plan, target or vote budget.
pub fn capped_target(
    plan: &SmoothingPlan,
    vote_budget: u64,
    snapping_loss: f64,
    configured: f64,
) -> Result<Option<f64>, CertificateError> {
    // One certification shows that the usual target is below the cap.
    if is_provable_target(plan, vote_budget, snapping_loss, configured / TARGET_CAP_SHARE)? {
        return Ok(Some(configured));
    }
    let cap = TARGET_CAP_SHARE * largest_target(plan, vote_budget, snapping_loss)?;
    Ok((cap > 0.0).then_some(cap))
}
