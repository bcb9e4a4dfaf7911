//! One bound or two: decided before the votes that it is about.

use crate::certificate::error::CertificateError;
use crate::certificate::votes::certify::certify;
use crate::certificate::votes::smoothing_plan::{BoundMethod, Sides, SmoothingPlan};
use crate::certificate::votes::tally::Tally;

/// The sides that are projected to prove the larger radius after `planned_votes` estimation votes that look like the
/// selection votes. The plan's own `sides` is ignored.
///
/// It looks at the selection votes alone, which the estimation never sees again; given them, the plan is fixed, so the
/// choice costs no failure probability. With two classes and no vote for nobody one side always proves more; so does it where either reaches
/// the target, because the target test is then the faster of the two.
///
/// # Errors
/// [`CertificateError`] for a plan or counts that cannot be.
pub fn choose_sides(
    plan: &SmoothingPlan,
    selection: Tally,
    classes: usize,
    planned_votes: u64,
) -> Result<Sides, CertificateError> {
    plan.check()?;
    selection.check()?;
    // A NaN row votes for nobody: then the runner-up's count says more than the misses do.
    let for_nobody = selection.votes - selection.votes_for_class - selection.votes_for_runner_up;
    if (classes <= 2 && for_nobody == 0) || selection.votes == 0 {
        return Ok(Sides::OneSided);
    }
    let votes = match plan.bound_method {
        BoundMethod::Anytime => planned_votes,
        BoundMethod::ClopperPearson { votes } => votes,
    };
    let projected = Tally {
        votes,
        votes_for_class: scaled(selection.votes_for_class, votes, selection.votes),
        votes_for_runner_up: scaled(selection.votes_for_runner_up, votes, selection.votes),
    };
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

/// `count * to / from`, rounded down: never more than `to`, because no count is more than `from`. 0 of nothing.
fn scaled(count: u64, to: u64, from: u64) -> u64 {
    (u128::from(count) * u128::from(to))
        .checked_div(u128::from(from))
        .and_then(|exact| u64::try_from(exact).ok())
        .unwrap_or(0)
}
