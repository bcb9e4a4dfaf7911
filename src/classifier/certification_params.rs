//! The certification parameters of one request, within the limits of the operator.

use crate::certificate::FailureProbability;
use crate::domain::{BoundKind, Priority};
use crate::settings::CertificateSettings;

/// The certification parameters of one request. Only smoothed models use them, except for
/// `priority`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CertificationParams {
    /// The radius at which to stop: the votes prove it or show that it is out of reach. Positive,
    /// in the units of the float input.
    pub target_radius: Option<f64>,
    /// The most estimation votes; at least 1.
    pub vote_budget: u64,
    /// The failure probability of each certificate, over the noise.
    pub failure_probability: FailureProbability,
    /// How votes become bounds on probabilities.
    pub bound: BoundKind,
    /// The scheduling priority of the rows.
    pub priority: Priority,
}

impl CertificationParams {
    /// The parameters of Predict.
    #[must_use]
    pub fn predict(settings: &CertificateSettings) -> Self {
        Self {
            target_radius: settings.predict_target_radius,
            vote_budget: settings.predict_votes,
            failure_probability: settings.failure_probability,
            bound: settings.bound,
            priority: Priority::Interactive,
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
        }
    }
}
