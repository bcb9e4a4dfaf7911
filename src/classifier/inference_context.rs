//! Everything that the prediction of one input reads: the engine, and the settings of a snapshot.

use std::sync::Arc;
use std::time::Instant;

use super::error::ClassifierError;
use super::models::Engine;
use super::prediction::mixing::mix;
use super::prediction::robust_prediction::RobustPrediction;
use super::shadow::Recorder;
use crate::domain::Prediction;
use crate::scheduler::{JobHandle, JobOutputs};
use crate::settings::{CertificateSettings, MixtureSettings};

/// The engine and the settings of one snapshot.
pub(super) struct InferenceContext {
    pub(super) engine: Arc<Engine>,
    pub(super) mixture: MixtureSettings,
    pub(super) certificate: CertificateSettings,
    /// Records the served predictions; `None` without shadow candidates.
    pub(super) recorder: Option<Recorder>,
}

impl InferenceContext {
    /// Mixes the outputs of both models for one input. Call it after the outputs have come back, so
    /// that the certificate carries the findings of their audit.
    pub(super) fn mix(&self, standard_log_probs: Vec<f64>, robust: RobustPrediction) -> Prediction {
        let robust = self
            .engine
            .with_basis_and_restriction(robust, self.certificate.allow_inexact_runtime);
        mix(self.mixture.weights, standard_log_probs, robust)
    }
}

/// Awaits the outputs of a job until `deadline`.
pub(super) async fn outputs_by(deadline: Instant, job: JobHandle) -> Result<JobOutputs, ClassifierError> {
    let outputs = tokio::time::timeout_at(deadline.into(), job).await;
    Ok(outputs.map_err(|_| ClassifierError::DeadlineExceeded)??)
}
