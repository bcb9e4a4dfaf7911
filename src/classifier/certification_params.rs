//! What a caller wants of the certificates of one request, within the operator's limits.

use crate::certificate::FailureProbability;
use crate::domain::{Bound, Priority};
use crate::settings::CertificateSettings;

/// What to prove, and how hard to try. Only smoothed models look at it, but for `priority`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CertificationParams {
    /// Stop once this radius is proven or out of reach; positive, in the units of the float input.
    pub target_radius: Option<f64>,
    /// Estimation votes at most; at least 1.
    pub vote_budget: u64,
    /// Of each certificate, over the noise.
    pub failure_probability: FailureProbability,
    /// How votes become bounds.
    pub bound: Bound,
    /// How urgent the rows are.
    pub priority: Priority,
}

impl CertificationParams {
    /// What Predict draws.
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

    /// What Certify draws when the caller names nothing.
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
