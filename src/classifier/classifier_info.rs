//! The description of the served models and of their certificates, for operators and for
//! GetModelInfo.

use super::models::served_model::RobustInference;
use super::models::{Engine, ModelSummary};
use super::prediction::certificate_restriction::CertificateRestriction;
use super::prediction::unavailability::unavailable_reason;
use super::smoothing::smoother::Smoother;
use super::smoothing::target_radius::CertificationGoal;
use crate::domain::{BoundKind, CertificateMethod, ModelGuarantee, Norm};
use crate::settings::{CertificateSettings, MixtureSettings};

/// The description of the served models and of their certificates.
#[derive(Debug, Clone)]
pub struct ClassifierInfo {
    /// The standard model.
    pub standard: ModelSummary,
    /// The robust model.
    pub robust: ModelSummary,
    /// The norm of the certificates; `None` if the guarantee has no norm.
    pub norm: Option<Norm>,
    /// The theorem behind the certificates; `None` if no input can be certified.
    pub method: Option<CertificateMethod>,
    /// The formula that the settings select for a smoothed model, also where it certifies no input;
    /// `None` for another model.
    pub smoothing_method: Option<CertificateMethod>,
    /// The caveat of every certificate; empty if there is none.
    pub caveat: String,
    /// The total-variation distance of the noise of one input; 0 without votes.
    pub total_variation: f64,
    /// The reason why no input can be certified; `None` if an input can be certified.
    pub unavailable_reason: Option<String>,
    /// The distance between neighbouring values on the grid of a smoothed model; 0 without a grid.
    pub grid_step: f64,
    /// The radius if the largest allowed number of votes is unanimous; 0 if unknown.
    pub largest_possible_radius: f64,
}

impl ClassifierInfo {
    /// Describes `engine` under these settings.
    pub(super) fn new(engine: &Engine, mixture: &MixtureSettings, certificate: &CertificateSettings) -> Self {
        let guarantee = &engine.robust.guarantee;
        let restriction = engine.certificate_restriction(certificate.allow_inexact_runtime);
        let (caveat, withdrawal_reason) = match restriction {
            None => (String::new(), None),
            Some(CertificateRestriction::Caveat(caveat)) => (caveat, None),
            Some(CertificateRestriction::Withdrawn(reason)) => (String::new(), Some(reason)),
        };
        let unavailable_reason = unavailable_reason(guarantee, mixture.weights.alpha()).or(withdrawal_reason);
        let smoothing_method =
            matches!(guarantee, ModelGuarantee::GaussianSmoothing { .. }).then(|| certificate.radius.into());
        let method = match guarantee {
            ModelGuarantee::None => None,
            ModelGuarantee::LipschitzProbabilities { .. } => Some(CertificateMethod::Theorem1),
            ModelGuarantee::LipschitzLogits { .. } => Some(CertificateMethod::LogitLipschitz),
            ModelGuarantee::GaussianSmoothing { .. } => smoothing_method,
        };
        let (grid_step, total_variation, largest_possible_radius) = match &engine.robust_inference {
            RobustInference::OneRow => (0.0, 0.0, 0.0),
            RobustInference::Votes(smoother) => (
                smoother.grid_step(),
                smoother.total_variation,
                unanimous_radius(smoother, mixture, certificate),
            ),
        };
        Self {
            standard: engine.standard.summary.clone(),
            robust: engine.robust.summary.clone(),
            norm: guarantee.norm(),
            method: method.filter(|_| unavailable_reason.is_none()),
            smoothing_method,
            caveat,
            total_variation,
            unavailable_reason,
            grid_step,
            largest_possible_radius,
        }
    }
}

/// Returns the radius that `certificate.max_votes` unanimous votes prove; 0 if it cannot be
/// computed.
fn unanimous_radius(smoother: &Smoother, mixture: &MixtureSettings, certificate: &CertificateSettings) -> f64 {
    let goal = CertificationGoal {
        bound: BoundKind::ClopperPearson,
        vote_budget: certificate.max_votes,
        ..CertificationGoal::predict(mixture.weights.alpha(), smoother, certificate)
    };
    goal.unanimous_radius()
}
