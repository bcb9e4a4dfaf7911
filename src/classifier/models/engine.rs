//! Both models, loaded and warm: what a change of alpha leaves as it is.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use super::EngineConfig;
use super::served_model::{RobustInference, ServedModel};
use crate::certificate::Temperature;
use crate::classifier::drain_deadline::DrainDeadline;
use crate::classifier::shadow::Recorders;
use crate::classifier::smoothing::vote_chunking::{VOTE_LANES, VoteChunking, VoteForecast};
use crate::domain::{Guarantee, InputSpec, Place, Provenance, Violations, hex};
use crate::onnx::OutputKind;
use crate::scheduler::SchedulerLoad;
use crate::scheduler::{Scheduler, bulk_capacity};
use crate::settings::Settings;

/// Both models with their executors and queue. Dropping the last reference waits for the batches that run: not to be done on a
/// thread that answers requests.
pub struct Engine {
    pub(in crate::classifier) config: EngineConfig,
    pub(in crate::classifier) place: Arc<Place>,
    pub(in crate::classifier) spec: InputSpec,
    pub(in crate::classifier) labels: Vec<String>,
    pub(in crate::classifier) standard: ServedModel,
    pub(in crate::classifier) robust: ServedModel,
    pub(in crate::classifier) scheduler: Scheduler,
    pub(in crate::classifier) chunks: VoteChunking,
    pub(in crate::classifier) vote_forecast: VoteForecast,
    pub(in crate::classifier) robust_kind: RobustInference,
    pub(in crate::classifier) caveat: String,
    pub(in crate::classifier) drain_deadline: DrainDeadline,
    pub(in crate::classifier) shadow: Recorders,
}

impl Engine {
    /// What it was built from.
    #[must_use]
    pub fn config(&self) -> &EngineConfig {
        &self.config
    }

    /// Whether a model of it runs on a GPU.
    #[must_use]
    pub fn runs_on_cuda(&self) -> bool {
        [&self.standard, &self.robust]
            .into_iter()
            .any(|side| side.summary.provider == "cuda")
    }

    /// Whether both models work, from now on.
    #[must_use]
    pub fn healthy(&self) -> watch::Receiver<bool> {
        self.scheduler.healthy()
    }

    /// What waits and who works at this moment: for those who ask now and then.
    #[must_use]
    pub fn load_now(&self) -> SchedulerLoad {
        self.scheduler.load()
    }

    /// Whether `settings` fit these models.
    ///
    /// # Errors
    /// Every key that does not.
    pub fn check(&self, settings: &Settings) -> Result<(), Violations> {
        check_settings(settings, &self.robust.guarantee, self.robust.output_kind)
    }

    /// Names `settings` on these models.
    pub(in crate::classifier) fn provenance(&self, settings: &Settings) -> Provenance {
        Provenance {
            config_revision: self.revision(settings).into(),
            alpha: settings.mixture.alpha.get(),
            robust_temperature: settings.mixture.robust_temperature.get(),
            standard_model_sha256: self.standard.summary.sha256.clone(),
            robust_model_sha256: self.robust.summary.sha256.clone(),
            place: Arc::clone(&self.place),
        }
    }

    /// Names the settings in force, what both manifests say (the SHA-256 of the models included) and the records of proofs:
    /// whatever an operator changes changes the revision. It is the same on every replica; what a replica has found or
    /// measured for itself (the batch shapes, the runtime's build, its processor) is told beside it, by [`Place`].
    fn revision(&self, settings: &Settings) -> String {
        let mut hash = Sha256::new();
        for (key, value) in &settings.effective {
            hash.update(format!("{key} = {value}\n"));
        }
        for text in self.config.manifest_texts() {
            hash.update(Sha256::digest(text));
        }
        for proof in self.config.proofs() {
            // Nothing is not an empty record.
            hash.update([u8::from(proof.is_some())]);
            hash.update(Sha256::digest(proof.unwrap_or_default()));
        }
        hex(&hash.finalize())
    }
}

/// Inputs of one request whose votes are drawn at the same time.
pub(in crate::classifier) fn lanes(settings: &Settings) -> usize {
    VOTE_LANES.min(settings.server.max_inputs).max(1)
}

/// The rules between the settings and the robust model.
pub(in crate::classifier) fn check_settings(
    settings: &Settings,
    guarantee: &Guarantee,
    output_kind: OutputKind,
) -> Result<(), Violations> {
    let mut wrong = Violations::default();
    let smoothed = matches!(guarantee, Guarantee::GaussianSmoothing { .. });
    let scaled = settings.mixture.robust_temperature != Temperature::ONE;
    let can_scale = output_kind == OutputKind::Logits && !smoothed;
    wrong.check(!scaled || can_scale, "mixture.robust_temperature", || {
        format!(
            "must be 1 for a robust model with guarantee \"{}\" and these outputs: it has no effect on votes or probabilities",
            guarantee.name()
        )
    });
    let rows = lanes(settings) * 2 * settings.runtime.robust_batch_size.unwrap_or(1);
    let enough = !smoothed || bulk_capacity(settings.scheduler.queue_rows) >= rows;
    wrong.check(enough, "scheduler.queue_rows", || {
        format!(
            "three quarters of it must be at least {rows}: the rows that one request for votes may have outstanding"
        )
    });
    wrong.into_result()
}
