//! The decision when to stop drawing votes. The caller handles deadlines and cancelled requests.

use crate::certificate::error::CertificateError;
use crate::certificate::votes::certify::{SmoothedRadius, certify};
use crate::certificate::votes::prospects::Prospects;
use crate::certificate::votes::served_radius::served_radius;
use crate::certificate::votes::smoothing_plan::{BoundMethod, SmoothingPlan};
use crate::certificate::votes::tally::Tally;

/// Whether to draw more votes, and if not, why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Draw more votes.
    Continue,
    /// Stop: the votes prove the target radius.
    TargetReached,
    /// Stop: the target radius is out of reach. Twice the votes would add little to the radius that
    /// is proven, or no radius is within reach.
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

/// Once the target is out of reach, the loop stops when the proven radius is at least this share of
/// the radius that twice the votes, within the budget, are expected to prove.
const SUFFICIENT_SHARE: f64 = 0.9;

/// Certifies `tally` and decides whether to draw more votes. Takes some tens of microseconds.
///
/// Without a target the loop draws the whole `vote_budget`. With one it stops when the target is
/// proven. Where the target is out of reach, the loop continues for a smaller radius: it stops when
/// twice the votes are expected to prove little more, or when no radius is within reach. A
/// Clopper-Pearson plan draws its own fixed number of votes, never stops earlier, and ignores
/// `vote_budget`.
///
/// A driver uses [`VoteRule`](crate::certificate::VoteRule), which certifies each tally once, keeps
/// the best radius, and deducts the snapping loss. This function takes `tally` as the best one, and
/// deducts nothing.
///
/// # Errors
/// [`CertificateError`] for an invalid plan or contradictory counts.
pub fn decide(plan: &SmoothingPlan, tally: Tally, vote_budget: u64) -> Result<Decision, CertificateError> {
    let proven = certify(plan, tally)?;
    let prospects = Prospects {
        plan,
        tally,
        vote_budget,
        snapping_loss: 0.0,
    };
    decide_from(&prospects, &proven, served_radius(proven.radius, 0.0))
}

/// The decision of [`decide`], from the result `proven` of [`certify`] for the same plan and tally,
/// and the largest served radius so far, this tally's included.
///
/// # Errors
/// As [`decide`].
pub(in crate::certificate) fn decide_from(
    prospects: &Prospects<'_>,
    proven: &SmoothedRadius,
    best_radius: f64,
) -> Result<Decision, CertificateError> {
    let &Prospects {
        plan,
        tally,
        vote_budget,
        ..
    } = prospects;
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
    let best_case = prospects.best_case()?;
    let plausible = prospects.plausible_radius()?;
    if best_case.is_none_or(|best| best.target_accepted) && plausible >= target {
        return Ok(Decision::Continue);
    }
    // The target is given up, and the certificate is not. A later look may still reach the target:
    // the plausible radius can be mistaken.
    let draws_more = if best_radius > 0.0 {
        // The budget exceeds the votes: see above.
        let left = vote_budget - tally.votes;
        let doubled = if left < tally.votes {
            vote_budget
        } else {
            2 * tally.votes
        };
        best_radius < SUFFICIENT_SHARE * prospects.expected_radius(doubled)?
    } else {
        let served = |radius| served_radius(radius, prospects.snapping_loss) > 0.0;
        best_case.is_none_or(|best| served(best.radius)) && served(plausible)
    };
    Ok(if draws_more {
        Decision::Continue
    } else {
        Decision::TargetOutOfReach
    })
}
