//! The target radius of a request to a smoothed model, and the cap on the target of Predict.

use super::smoother::Smoother;
use crate::certificate::{
    Alpha, BoundMethod, CertificateError, FailureProbability, RadiusMethod, Sides, Sigma, SmoothingPlan, Tally,
    capped_target, certify, is_provable_target, largest_target,
};
use crate::domain::BoundKind;
use crate::settings::CertificateSettings;

/// The radius at which the votes of an input stop, in the units of the float input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TargetRadius {
    /// The operator's target for Predict.
    Configured {
        /// `certificate.predict_target_radius`.
        radius: f64,
        /// The radius in force: `radius`, at most the cap.
        capped: f64,
    },
    /// The target that a caller of Certify requests.
    Requested(f64),
}

impl TargetRadius {
    /// The radius at which the votes stop.
    #[must_use]
    pub fn in_force(self) -> f64 {
        match self {
            Self::Configured { capped, .. } => capped,
            Self::Requested(radius) => radius,
        }
    }
}

/// The target of Predict, and what its votes can prove.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PredictTarget {
    /// `certificate.predict_target_radius` and the radius in force; `None` if Predict has no target
    /// or nothing can be certified.
    pub target: Option<TargetRadius>,
    /// The largest target that the votes of Predict can prove, for a UINT8 input; 0 if nothing can
    /// be certified. In the units of the float input.
    pub largest: f64,
}

impl PredictTarget {
    /// The target under these settings.
    ///
    /// # Errors
    /// Returns an error for settings that no check accepts.
    pub(in crate::classifier) fn new(
        goal: &CertificationGoal,
        certificate: &CertificateSettings,
    ) -> Result<Self, CertificateError> {
        let (plan, votes) = (goal.plan(), goal.vote_budget);
        let largest = largest_target(&plan, votes, 0.0)?;
        let target = match certificate.predict_target_radius {
            Some(radius) => {
                let capped = capped_target(&plan, votes, 0.0, radius)?;
                capped.map(|capped| TargetRadius::Configured { radius, capped })
            }
            None => None,
        };
        Ok(Self { target, largest })
    }

    /// The configured radius and the smaller one in force; `None` unless the cap applies.
    #[must_use]
    pub fn cap(&self) -> Option<(f64, f64)> {
        match self.target {
            Some(TargetRadius::Configured { radius, capped }) if capped < radius => Some((radius, capped)),
            _ => None,
        }
    }
}

/// Everything that a plan holds beside the target and the sides.
#[derive(Debug, Clone, Copy)]
pub(in crate::classifier) struct CertificationGoal {
    pub(in crate::classifier) alpha: Alpha,
    pub(in crate::classifier) sigma: Sigma,
    pub(in crate::classifier) total_variation: f64,
    pub(in crate::classifier) radius_method: RadiusMethod,
    pub(in crate::classifier) bound: BoundKind,
    pub(in crate::classifier) vote_budget: u64,
    pub(in crate::classifier) failure_probability: FailureProbability,
}

impl CertificationGoal {
    /// The goal of Predict.
    pub(in crate::classifier) fn predict(alpha: Alpha, smoother: &Smoother, certificate: &CertificateSettings) -> Self {
        Self {
            alpha,
            sigma: smoother.sigma,
            total_variation: smoother.total_variation,
            radius_method: certificate.radius,
            bound: certificate.bound,
            vote_budget: certificate.predict_votes,
            failure_probability: certificate.failure_probability,
        }
    }

    /// The plan without a target. The vote rule chooses the sides after the selection votes.
    pub(in crate::classifier) fn plan(&self) -> SmoothingPlan {
        SmoothingPlan {
            alpha: self.alpha,
            sigma: self.sigma,
            radius_method: self.radius_method,
            bound_method: match self.bound {
                BoundKind::Anytime => BoundMethod::Anytime,
                BoundKind::ClopperPearson => BoundMethod::ClopperPearson {
                    votes: self.vote_budget,
                },
            },
            failure_probability: self.failure_probability,
            sides: Sides::OneSided,
            target_radius: None,
            total_variation: self.total_variation,
        }
    }

    /// The radius that the whole vote budget proves if all votes are for one class, before the
    /// snapping loss is subtracted; 0 if it cannot be computed.
    pub(in crate::classifier) fn unanimous_radius(&self) -> f64 {
        certify(&self.plan(), Tally::default().filled_up_to(self.vote_budget)).map_or(0.0, |proven| proven.radius)
    }

    /// The largest target that can be proven if `target` is larger than it; `None` if votes can
    /// prove `target`, or if nothing can be certified at this alpha, because the certificate then
    /// states that itself.
    ///
    /// # Errors
    /// Returns an error for an invalid target.
    pub(in crate::classifier) fn limit_below(
        &self,
        target: f64,
        snapping_loss: f64,
    ) -> Result<Option<f64>, CertificateError> {
        let plan = self.plan();
        if !self.alpha.can_certify() || is_provable_target(&plan, self.vote_budget, snapping_loss, target)? {
            return Ok(None);
        }
        largest_target(&plan, self.vote_budget, snapping_loss).map(Some)
    }
}

/// The target of a candidate alpha for a request with `target`, in force under `plan`: the
/// candidate's own cap on the operator's target, or on a request that it cannot prove.
pub(in crate::classifier) fn target_of_candidate(
    target: TargetRadius,
    plan: &SmoothingPlan,
    vote_budget: u64,
) -> Result<Option<f64>, CertificateError> {
    match target {
        TargetRadius::Requested(radius) if is_provable_target(plan, vote_budget, 0.0, radius)? => Ok(Some(radius)),
        TargetRadius::Requested(radius) | TargetRadius::Configured { radius, .. } => {
            capped_target(plan, vote_budget, 0.0, radius)
        }
    }
}
