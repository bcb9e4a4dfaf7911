//! The decision when to stop drawing votes. The caller handles deadlines and cancelled requests.

use crate::certificate::bounds::anytime;
use crate::certificate::bounds::total_variation::discount_total_variation;
use crate::certificate::error::CertificateError;
use crate::certificate::numerics::directed_probability::UpperBound;
use crate::certificate::parameters::failure_probability::FailureProbability;
use crate::certificate::votes::certify::{SmoothedRadius, certify, radius_of};
use crate::certificate::votes::smoothing_plan::{BoundMethod, Sides, SmoothingPlan};
use crate::certificate::votes::tally::Tally;

/// Whether to draw more votes, and if not, why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Draw more votes.
    Continue,
    /// Stop: the votes prove the target radius.
    TargetReached,
    /// Stop: the remaining budget cannot prove the target radius, or the target is very likely
    /// false.
    TargetOutOfReach,
    /// Stop: the vote budget is drawn.
    VoteBudget,
}

impl Decision {
    /// Whether the loop stops.
    #[must_use]
    pub fn is_stop(self) -> bool {
        self != Self::Continue
    }
}

/// The error rate of the judgement that the target is out of reach. An early stop is never unsound,
/// so the rate is loose: it ends at most one in a hundred runs with a provable target by mistake
/// with one side, and two in a hundred with two sides, which need two such bounds.
const MISTAKEN_STOP_RATE: f64 = 0.01;

/// Certifies `tally` and decides whether to draw more votes. Takes some tens of microseconds.
///
/// Without a target the loop draws the whole `vote_budget`. A Clopper-Pearson plan draws its own
/// fixed number of votes, never stops earlier, and ignores `vote_budget`.
///
/// A driver that also needs the radius uses [`VoteRule`](crate::certificate::VoteRule), which
/// certifies each tally once.
///
/// # Errors
/// [`CertificateError`] for an invalid plan or contradictory counts.
pub fn decide(plan: &SmoothingPlan, tally: Tally, vote_budget: u64) -> Result<Decision, CertificateError> {
    let proven = certify(plan, tally)?;
    decide_from(plan, tally, vote_budget, &proven)
}

/// The decision of [`decide`], from the result `proven` of [`certify`] for the same plan and tally.
///
/// # Errors
/// As [`decide`].
pub(in crate::certificate) fn decide_from(
    plan: &SmoothingPlan,
    tally: Tally,
    vote_budget: u64,
    proven: &SmoothedRadius,
) -> Result<Decision, CertificateError> {
    if let BoundMethod::ClopperPearson { votes } = plan.bound_method {
        return Ok(if tally.votes < votes {
            Decision::Continue
        } else if proven.target_accepted {
            Decision::TargetReached
        } else {
            Decision::VoteBudget
        });
    }
    if proven.target_accepted {
        return Ok(Decision::TargetReached);
    }
    if tally.votes >= vote_budget {
        return Ok(Decision::VoteBudget);
    }
    let Some(target) = plan.target_radius else {
        return Ok(Decision::Continue);
    };
    // The best case gives every remaining vote to the class: both bounds and the test only grow
    // with such a vote.
    let left = vote_budget - tally.votes;
    let best = Tally {
        votes: vote_budget,
        votes_for_class: tally.votes_for_class.saturating_add(left),
        ..tally
    };
    if best.check().is_ok() && !certify(plan, best)?.target_accepted {
        return Ok(Decision::TargetOutOfReach);
    }
    if tally.votes > 0 && optimistic_radius(plan, tally)? < target {
        return Ok(Decision::TargetOutOfReach);
    }
    Ok(Decision::Continue)
}

/// The radius at the optimistic ends of a loose confidence interval: very likely at least the true
/// radius.
fn optimistic_radius(plan: &SmoothingPlan, tally: Tally) -> Result<f64, CertificateError> {
    let level = FailureProbability::new(MISTAKEN_STOP_RATE)?;
    let class = anytime::upper(tally.votes_for_class, tally.votes, level)?.as_lower();
    let runner_up = match plan.sides {
        Sides::OneSided => UpperBound::TRIVIAL,
        Sides::TwoSided => anytime::lower(tally.votes_for_runner_up, tally.votes, level)?.as_upper(),
    };
    let (class, runner_up) = discount_total_variation(class, runner_up, plan.total_variation);
    Ok(radius_of(plan, class, runner_up))
}
