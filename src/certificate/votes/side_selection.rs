//! The choice between one-sided and two-sided bounds, made before the estimation votes.

use crate::certificate::error::CertificateError;
use crate::certificate::votes::certify::certify;
use crate::certificate::votes::smoothing_plan::{BoundMethod, Sides, SmoothingPlan};
use crate::certificate::votes::tally::Tally;

/// The sides that are expected to prove the larger radius after `planned_votes` estimation votes
/// with the proportions of the selection votes. The function ignores the plan's own `sides`.
///
/// It uses only the selection votes, and the estimation never uses these. Given them the plan is
/// fixed, so the choice costs no failure probability. With two classes and no vote for neither, one
/// side always proves more. One side is also better if either reaches the target, because its
/// target test is the faster of the two.
///
/// # Errors
/// [`CertificateError`] for an invalid plan or contradictory counts.
pub fn choose_sides(
    plan: &SmoothingPlan,
    selection: Tally,
    classes: usize,
    planned_votes: u64,
) -> Result<Sides, CertificateError> {
    plan.check()?;
    selection.check()?;
    // A NaN row votes for no class; then the runner-up's count is more informative than the number
    // of misses.
    let for_nobody = selection.votes - selection.votes_for_class - selection.votes_for_runner_up;
    if (classes <= 2 && for_nobody == 0) || selection.votes == 0 {
        return Ok(Sides::OneSided);
    }
    let votes = match plan.bound_method {
        BoundMethod::Anytime => planned_votes,
        BoundMethod::ClopperPearson { votes } => votes,
    };
    let projected = selection.scaled_to(votes);
    let one = certify(
        &SmoothingPlan {
            sides: Sides::OneSided,
            ..*plan
        },
        projected,
    )?;
    let two = certify(
        &SmoothingPlan {
            sides: Sides::TwoSided,
            ..*plan
        },
        projected,
    )?;
    let better = !one.target_accepted && two.radius > one.radius;
    Ok(if better { Sides::TwoSided } else { Sides::OneSided })
}
