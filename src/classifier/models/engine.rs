//! Both models, loaded and warm. A change of alpha keeps the engine.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use super::engine_config::EngineConfig;
use super::message_limits_check::{check_message_limits, max_inputs_warning};
use super::served_model::{RobustInference, ServedModel};
use super::settings_check::check_settings;
use crate::classifier::drain_deadline::DrainDeadline;
use crate::classifier::prediction::certificate_restriction::CertificateRestriction;
use crate::classifier::prediction::evaluated_models::EvaluatedModels;
use crate::classifier::prediction::robust_prediction::RobustPrediction;
use crate::classifier::shadow::Recorders;
use crate::classifier::smoothing::vote_chunking::VoteChunking;
use crate::classifier::smoothing::vote_forecast::VoteForecast;
use crate::domain::{ComputeEnvironment, InputSpec, PerRole, Provenance, Violations, hex};
use crate::scheduler::{Scheduler, SchedulerLoad};
use crate::settings::Settings;

/// Both models with their executors and their queue.
///
/// Dropping the last reference waits for the running batches. Do not drop it on a thread that
/// answers requests.
pub struct Engine {
    pub(in crate::classifier) config: EngineConfig,
    pub(in crate::classifier) environment: Arc<ComputeEnvironment>,
    pub(in crate::classifier) spec: InputSpec,
    pub(in crate::classifier) labels: Vec<String>,
    pub(in crate::classifier) standard: ServedModel,
    pub(in crate::classifier) robust: ServedModel,
    pub(in crate::classifier) scheduler: Scheduler,
    pub(in crate::classifier) vote_chunking: VoteChunking,
    pub(in crate::classifier) vote_forecast: VoteForecast,
    pub(in crate::classifier) robust_inference: RobustInference,
    /// The caveat from the self-test; empty if both models passed it.
    pub(in crate::classifier) self_test_caveat: String,
    pub(in crate::classifier) drain_deadline: DrainDeadline,
    pub(in crate::classifier) shadow_recorders: Recorders,
}

impl Engine {
    /// The configuration that the engine was built from.
    #[must_use]
    pub fn config(&self) -> &EngineConfig {
        &self.config
    }

    /// Whether at least one model runs on a GPU.
    #[must_use]
    pub fn runs_on_cuda(&self) -> bool {
        [&self.standard, &self.robust]
            .into_iter()
            .any(|model| model.summary.provider == "cuda")
    }

    /// A receiver of the health of both models: `true` while both work.
    #[must_use]
    pub fn healthy(&self) -> watch::Receiver<bool> {
        self.scheduler.healthy()
    }

    /// The current load of the scheduler: waiting rows and busy executors. It takes the lock of the
    /// queue, so do not call it often.
    #[must_use]
    pub fn scheduler_load(&self) -> SchedulerLoad {
        self.scheduler.load()
    }

    /// Checks that `settings` fit these models.
    ///
    /// # Errors
    /// Returns a violation for every key that does not fit.
    pub fn check_settings(&self, settings: &Settings) -> Result<(), Violations> {
        let fit = check_settings(settings, &self.robust.guarantee, self.robust.output_kind);
        let mut violations = fit.err().unwrap_or_default();
        check_message_limits(settings, &self.spec, &self.labels, &mut violations);
        violations.into_result()
    }

    /// Returns a warning for a `server.max_inputs` that a message cannot hold.
    #[must_use]
    pub fn max_inputs_warning(&self, settings: &Settings) -> Option<String> {
        max_inputs_warning(settings, &self.spec, &self.labels)
    }

    /// Returns the provenance of predictions under `settings` on these models.
    pub(in crate::classifier) fn provenance(&self, settings: &Settings) -> Provenance {
        Provenance {
            config_revision: self.config_revision(settings).into(),
            alpha: settings.mixture.weights.alpha().get(),
            fallback_alpha: settings.mixture.weights.fallback_alpha().get(),
            robust_temperature: settings.mixture.robust_temperature.get(),
            standard_model_sha256: self.standard.summary.sha256.clone(),
            robust_model_sha256: self.robust.summary.sha256.clone(),
            environment: Arc::clone(&self.environment),
        }
    }

    /// Returns a hash of the settings in force that decide answers, of both manifests (which contain
    /// the SHA-256 of the models) and of the proof records. Every change by an operator that can
    /// change an answer changes the revision.
    ///
    /// The revision is the same on every replica of one configuration, whatever its address, its
    /// threads and its paths. [`ComputeEnvironment`] holds the values that a replica measures for
    /// itself: the batch shapes, the build of ONNX Runtime and the processor.
    fn config_revision(&self, settings: &Settings) -> String {
        let mut hash = Sha256::new();
        for (key, value) in settings.answer_values() {
            hash.update(format!("{key} = {value}\n"));
        }
        for text in self.config.manifest_texts() {
            hash.update(Sha256::digest(text));
        }
        for record in self.config.proof_records() {
            // This byte distinguishes a missing record from an empty one.
            hash.update([u8::from(record.is_some())]);
            hash.update(Sha256::digest(record.unwrap_or_default()));
        }
        hex(&hash.finalize())
    }

    /// Returns the properties of the models that an evaluation of shadow candidates needs.
    pub(in crate::classifier) fn evaluated_models(&self) -> EvaluatedModels {
        EvaluatedModels {
            guarantee: self.robust.guarantee.clone(),
            output_kinds: PerRole {
                standard: self.standard.output_kind,
                robust: self.robust.output_kind,
            },
            spec: self.spec.clone(),
            classes: self.labels.len(),
        }
    }

    /// Returns the current restriction of all certificates; `None` if there is none.
    pub(in crate::classifier) fn certificate_restriction(
        &self,
        allow_inexact_runtime: bool,
    ) -> Option<CertificateRestriction> {
        let audit_finding = self.scheduler.audit_difference();
        CertificateRestriction::from_findings(&self.self_test_caveat, audit_finding, allow_inexact_runtime)
    }

    /// Adds the basis of the guarantee and the current restriction to `prediction`. Call it after
    /// the outputs behind the prediction have come back, so that the restriction covers their
    /// audit.
    pub(in crate::classifier) fn with_basis_and_restriction(
        &self,
        mut prediction: RobustPrediction,
        allow_inexact_runtime: bool,
    ) -> RobustPrediction {
        prediction.certificate.basis = self.robust.basis();
        prediction.restricted_by(self.certificate_restriction(allow_inexact_runtime))
    }
}
