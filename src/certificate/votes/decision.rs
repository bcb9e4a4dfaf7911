//! When to stop drawing votes. The deadline, and a caller who has left, are decided elsewhere.

use crate::certificate::bounds::anytime;
use crate::certificate::error::CertificateError;
use crate::certificate::numerics::probability::UpperBound;
use crate::certificate::parameters::failure_probability::FailureProbability;
use crate::certificate::radii::smoothing::discount_total_variation;
use crate::certificate::votes::certify::{certify, radius_of};
use crate::certificate::votes::smoothing_plan::{BoundMethod, Sides, SmoothingPlan};
use crate::certificate::votes::tally::Tally;

/// Why no more votes are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The target radius is proved.
    TargetReached,
    /// The target radius cannot be proved within the budget, or very likely is not true.
    TargetOutOfReach,
    /// All votes are drawn.
    VoteBudget,
}

/// Whether to draw more votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Draw more.
    Continue,
    /// Draw no more.
    Stop(StopReason),
}

/// How sure the votes must be that the target is out of reach. Giving up early is never unsound, so this is loose: at
/// most one in a hundred provable targets is given up by mistake with one side, two in a hundred with two, which take two
/// such bounds.
const HOPELESS: f64 = 0.01;

/// Whether these votes are enough, or more would be in vain. Cheap: some ten microseconds.
///
/// Without a target it asks for the whole `vote_budget`. A Clopper-Pearson plan asks for its own fixed number of votes and
/// never stops before; `vote_budget` plays no part there.
///
/// # Errors
/// [`CertificateError`] for a plan or counts that cannot be.
pub fn decide(plan: &SmoothingPlan, tally: Tally, vote_budget: u64) -> Result<Decision, CertificateError> {
    if let BoundMethod::ClopperPearson { votes } = plan.bound_method {
        plan.check()?;
        tally.check()?;
        if tally.votes < votes {
            return Ok(Decision::Continue);
        }
        let reached = certify(plan, tally)?.target_accepted;
        return Ok(Decision::Stop(if reached {
            StopReason::TargetReached
        } else {
            StopReason::VoteBudget
        }));
    }
    if certify(plan, tally)?.target_accepted {
        return Ok(Decision::Stop(StopReason::TargetReached));
    }
    if tally.votes >= vote_budget {
        return Ok(Decision::Stop(StopReason::VoteBudget));
    }
    let Some(target) = plan.target_radius else {
        return Ok(Decision::Continue);
    };
    // Even if every vote to come were for the class: both bounds and the test only grow with such a vote.
    let left = vote_budget - tally.votes;
    let best = Tally {
        votes: vote_budget,
        votes_for_class: tally.votes_for_class.saturating_add(left),
        ..tally
    };
    if best.check().is_ok() && !certify(plan, best)?.target_accepted {
        return Ok(Decision::Stop(StopReason::TargetOutOfReach));
    }
    if tally.votes > 0 && optimistic_radius(plan, tally)? < target {
        return Ok(Decision::Stop(StopReason::TargetOutOfReach));
    }
    Ok(Decision::Continue)
}

/// The radius at the far ends of a loose confidence interval: very likely at least the true one.
fn optimistic_radius(plan: &SmoothingPlan, tally: Tally) -> Result<f64, CertificateError> {
    let level = FailureProbability::new(HOPELESS)?;
    let class = anytime::upper(tally.votes_for_class, tally.votes, level)?.as_lower();
    let runner_up = match plan.sides {
        Sides::OneSided => UpperBound::NOTHING,
        Sides::TwoSided => anytime::lower(tally.votes_for_runner_up, tally.votes, level)?.as_upper(),
    };
    let (class, runner_up) = discount_total_variation(class, runner_up, plan.total_variation);
    Ok(radius_of(plan, class, runner_up))
}
