//! The rule that every consumer of votes follows: choose the sides, certify each tally, keep the
//! best radius, decide.
//!
//! The rule is a pure state machine without a clock, threads or randomness. The vote loop of a
//! request drives it with tallies as they arrive; the evaluation of shadow candidates and a replay
//! drive it with recorded tallies. The types fix the order that soundness needs: only
//! [`VoteRule::select`] makes an [`EstimationPhase`], so the sides are chosen once and before the
//! first estimation vote.

use crate::certificate::error::CertificateError;
use crate::certificate::votes::certify::{SmoothedRadius, certify};
use crate::certificate::votes::decision::{Decision, decide_from};
use crate::certificate::votes::prospects::Prospects;
use crate::certificate::votes::served_radius::served_radius;
use crate::certificate::votes::side_selection::choose_sides;
use crate::certificate::votes::smoothing_plan::SmoothingPlan;
use crate::certificate::votes::tally::Tally;

/// Everything that is fixed before the first vote of one input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VoteRule {
    /// The plan to prove. [`select`](Self::select) replaces its `sides`.
    pub plan: SmoothingPlan,
    /// Number of classes of the model.
    pub classes: usize,
    /// The largest number of estimation votes.
    pub vote_budget: u64,
    /// Deducted from each proven radius: see [`served_radius`]. In the units of the float input.
    pub snapping_loss: f64,
}

impl VoteRule {
    /// Ends the selection phase: chooses one- or two-sided bounds from the selection votes alone.
    ///
    /// # Errors
    /// [`CertificateError`] for an invalid plan or contradictory counts.
    pub fn select(self, selection: Tally) -> Result<EstimationPhase, CertificateError> {
        let sides = choose_sides(&self.plan, selection, self.classes, self.vote_budget)?;
        Ok(EstimationPhase {
            rule: Self {
                plan: SmoothingPlan { sides, ..self.plan },
                ..self
            },
            best: None,
        })
    }
}

/// The estimation phase: it looks at growing tallies of the same estimation votes and keeps the
/// best radius.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EstimationPhase {
    rule: VoteRule,
    best: Option<BestLook>,
}

impl EstimationPhase {
    /// Certifies `tally` once, keeps the result if its served radius is the largest so far, and
    /// decides whether to draw more votes.
    ///
    /// `tally` counts all estimation votes so far, and none of the selection votes. The bounds hold
    /// at all looks at once, so the best look may be reported whatever the later ones show. The
    /// driver stops at the first decision other than [`Decision::Continue`]; a further look is
    /// still sound.
    ///
    /// # Errors
    /// [`CertificateError`] for contradictory counts.
    pub fn look(&mut self, tally: Tally) -> Result<Look, CertificateError> {
        let proven = self.certify(tally)?;
        let served_radius = served_radius(proven.radius, self.rule.snapping_loss);
        let is_best = served_radius > self.best_radius();
        if is_best {
            self.best = Some(BestLook {
                tally,
                proven,
                served_radius,
            });
        }
        let VoteRule {
            plan,
            vote_budget,
            snapping_loss,
            ..
        } = &self.rule;
        let prospects = Prospects {
            plan,
            tally,
            vote_budget: *vote_budget,
            snapping_loss: *snapping_loss,
        };
        let decision = decide_from(&prospects, &proven, self.best_radius())?;
        Ok(Look {
            proven,
            served_radius,
            is_best,
            decision,
        })
    }

    /// Certifies `tally` with the chosen sides, and changes nothing.
    ///
    /// # Errors
    /// [`CertificateError`] for contradictory counts.
    pub fn certify(&self, tally: Tally) -> Result<SmoothedRadius, CertificateError> {
        certify(&self.rule.plan, tally)
    }

    /// The plan with the chosen sides.
    #[must_use]
    pub fn plan(&self) -> &SmoothingPlan {
        &self.rule.plan
    }

    /// The first look with the largest served radius; `None` until a look certifies a positive
    /// radius.
    #[must_use]
    pub fn best(&self) -> Option<&BestLook> {
        self.best.as_ref()
    }

    /// The largest served radius so far; 0 if no look certified anything.
    #[must_use]
    pub fn best_radius(&self) -> f64 {
        self.best.map_or(0.0, |best| best.served_radius)
    }
}

/// The result of one look at the estimation votes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// The result for this tally.
    pub proven: SmoothedRadius,
    /// The proven radius less the deductions: see [`served_radius`].
    pub served_radius: f64,
    /// Whether the served radius is positive and larger than at every earlier look.
    pub is_best: bool,
    /// Whether to draw more votes.
    pub decision: Decision,
}

/// The look that is reported.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BestLook {
    /// The estimation votes at that look.
    pub tally: Tally,
    /// The result for that tally.
    pub proven: SmoothedRadius,
    /// The proven radius less the deductions: see [`served_radius`].
    pub served_radius: f64,
}
