//! What is served, for people and for GetModelInfo.

use super::MixedClassifier;
use super::models::served_model::RobustInference;
use super::prediction::robust_prediction::unavailable_reason;
use crate::certificate::{BoundMethod, RadiusMethod, Sides, SmoothingPlan, Tally, certify};
use crate::domain::{Grounds, Guarantee, Method, Norm};
use crate::onnx::Model;

/// One of the two models.
#[derive(Debug, Clone)]
pub struct ModelSummary {
    /// Name in its manifest.
    pub name: String,
    /// SHA-256 of its ONNX file, hexadecimal.
    pub sha256: String,
    /// "cpu" or "cuda".
    pub provider: &'static str,
    /// Why it is not what "auto" would rather have had; empty otherwise.
    pub provider_note: String,
    /// The kind of guarantee.
    pub guarantee: &'static str,
    /// Where the proof comes from.
    pub guarantee_source: String,
    /// What the guarantee rests on, and why; none without a guarantee.
    pub grounds: Option<Grounds>,
    /// Sessions, each with a thread.
    pub sessions: usize,
    /// Rows in one run, at most.
    pub max_batch_size: usize,
    /// Why it runs one row at a time, whatever its batch size was set to; none if it need not.
    pub one_row_reason: Option<String>,
}

impl ModelSummary {
    pub(super) fn new(
        model: &Model,
        grounds: Option<Grounds>,
        sessions: usize,
        max_batch_size: usize,
        one_row_reason: Option<String>,
    ) -> Self {
        let manifest = &model.manifest;
        Self {
            name: manifest.name.clone(),
            sha256: manifest.sha256.clone(),
            provider: model.provider.name,
            provider_note: model.provider.note.clone(),
            guarantee: manifest.guarantee.name(),
            guarantee_source: manifest.guarantee_source.clone(),
            grounds,
            sessions,
            max_batch_size,
            one_row_reason,
        }
    }
}

/// What is served, beside its input and limits.
#[derive(Debug, Clone)]
pub struct ClassifierInfo {
    /// The standard model.
    pub standard: ModelSummary,
    /// The robust model.
    pub robust: ModelSummary,
    /// The norm of the certificates, if there can be any.
    pub norm: Option<Norm>,
    /// The theorem behind them.
    pub method: Option<Method>,
    /// Why no input can be certified; none if one can.
    pub unavailable_reason: Option<String>,
    /// The distance between neighbouring values of a smoothed model's grid; 0 if there is none.
    pub grid_step: f64,
    /// The radius if all of the most votes allowed were for one class; 0 if unknown.
    pub largest_possible_radius: f64,
}

impl MixedClassifier {
    /// Whether the robust model answers by votes: only then does an order's vote budget mean anything.
    #[must_use]
    pub fn draws_votes(&self) -> bool {
        matches!(self.engine.robust_kind, RobustInference::Smoothed(_))
    }

    /// What is served.
    #[must_use]
    pub fn info(&self) -> ClassifierInfo {
        let guarantee = &self.engine.robust.guarantee;
        let unavailable_reason = unavailable_reason(guarantee, &self.mixture).or_else(|| self.doubt()?.unavailable());
        let method = match guarantee {
            Guarantee::None => None,
            Guarantee::LipschitzProbabilities { .. } => Some(Method::Theorem1),
            Guarantee::LipschitzLogits { .. } => Some(Method::LogitLipschitz),
            Guarantee::GaussianSmoothing { .. } => Some(match self.certificate.radius {
                RadiusMethod::Tight => Method::Tight,
                RadiusMethod::Theorem2 => Method::Theorem2,
            }),
        };
        let (grid_step, largest_possible_radius) = match &self.engine.robust_kind {
            RobustInference::OneRow => (0.0, 0.0),
            RobustInference::Smoothed(smoother) => {
                let votes = self.certificate.max_votes;
                let plan = SmoothingPlan {
                    alpha: self.mixture.alpha,
                    sigma: smoother.sigma,
                    radius_method: self.certificate.radius,
                    bound_method: BoundMethod::ClopperPearson { votes },
                    failure_probability: self.certificate.failure_probability,
                    sides: Sides::OneSided,
                    target_radius: None,
                    total_variation: smoother.total_variation,
                };
                let unanimous = Tally {
                    votes,
                    votes_for_class: votes,
                    votes_for_runner_up: 0,
                };
                (
                    smoother.grid_step(),
                    certify(&plan, unanimous).map_or(0.0, |proven| proven.radius),
                )
            }
        };
        ClassifierInfo {
            standard: self.engine.standard.summary.clone(),
            robust: self.engine.robust.summary.clone(),
            norm: guarantee.norm(),
            method: method.filter(|_| unavailable_reason.is_none()),
            unavailable_reason,
            grid_step,
            largest_possible_radius,
        }
    }
}
