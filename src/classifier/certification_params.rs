//! The certification parameters of one request, within the limits of the operator.

use super::smoothing::smoother::Smoother;
use super::smoothing::target_radius::{CertificationGoal, TargetRadius};
use crate::certificate::{Alpha, FailureProbability, RadiusMethod};
use crate::domain::{BoundKind, Priority};
use crate::settings::CertificateSettings;

/// The certification parameters of one request. Only smoothed models use them, except for
/// `priority`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CertificationParams {
    /// The radius at which to stop, once the votes prove it. Where it is out of reach, the votes
    /// prove the largest radius that they can.
    pub target_radius: Option<TargetRadius>,
    /// The most estimation votes; at least 1.
    pub vote_budget: u64,
    /// The failure probability of each certificate, over the noise.
    pub failure_probability: FailureProbability,
    /// How votes become bounds on probabilities.
    pub bound: BoundKind,
    /// The scheduling priority of the rows.
    pub priority: Priority,
    /// Return the outputs of both models too. The votes then go on to the budget, whatever they prove.
    pub model_outputs: bool,
}

impl CertificationParams {
    /// The parameters of Predict, with its target in force.
    pub(super) fn predict(settings: &CertificateSettings, target_radius: Option<TargetRadius>) -> Self {
        Self {
            target_radius,
            vote_budget: settings.predict_votes,
            failure_probability: settings.failure_probability,
            bound: settings.bound,
            priority: Priority::Interactive,
            model_outputs: false,
        }
    }

    /// The default parameters of Certify.
    #[must_use]
    pub fn certify(settings: &CertificateSettings) -> Self {
        Self {
            target_radius: None,
            vote_budget: settings.certify_votes,
            failure_probability: settings.failure_probability,
            bound: settings.bound,
            priority: Priority::Bulk,
            model_outputs: false,
        }
    }

    /// The plan's parameters for a request with these parameters.
    pub(super) fn goal(&self, alpha: Alpha, radius_method: RadiusMethod, smoother: &Smoother) -> CertificationGoal {
        CertificationGoal {
            alpha,
            sigma: smoother.sigma,
            total_variation: smoother.total_variation,
            radius_method,
            bound: self.bound,
            vote_budget: self.vote_budget,
            failure_probability: self.failure_probability,
        }
    }
}
