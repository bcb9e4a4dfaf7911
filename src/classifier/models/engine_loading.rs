//! Prepares an engine: loads, checks and warms both models. It may fail, and it changes nothing
//! that is in service.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::engine::Engine;
use super::engine_config::EngineConfig;
use super::load_error::LoadError;
use super::loaded_models::{LoadChecks, LoadedModels};
use super::model_sessions::ModelSessions;
use super::served_model::ServedModel;
use crate::classifier::drain_deadline::DrainDeadline;
use crate::classifier::prediction::certificate_restriction::inexact_runtime_caveat;
use crate::classifier::shadow::Recorders;
use crate::classifier::smoothing::NoiseKeyGenerator;
use crate::classifier::smoothing::vote_chunking::VoteChunking;
use crate::classifier::smoothing::vote_forecast::VoteForecast;
use crate::domain::{Basis, ComputeEnvironment, JustifiedBasis, PerRole, Role};
use crate::onnx::{Manifest, Model, cpu_description};
use crate::scheduler::{ModelObserver, QueueSettings, Scheduler};
use crate::settings::{Settings, cpu_quota};

impl Engine {
    /// Loads both models and runs each session once. `keys` and `drain_deadline` belong to the
    /// process. Requests run on `request_runtime`. `observer` receives the events of the models.
    ///
    /// # Errors
    /// Returns every violation with its key and a remedy. With [`LoadChecks::UntilRefused`] the
    /// models run only if nothing else is wrong.
    pub fn load(
        settings: &Settings,
        keys: Arc<NoiseKeyGenerator>,
        drain_deadline: DrainDeadline,
        request_runtime: &Handle,
        observer: &Arc<dyn ModelObserver>,
        checks: LoadChecks,
    ) -> Result<Arc<Self>, LoadError> {
        let LoadedModels {
            runtime,
            models,
            robust_inference,
            executors,
            max_outstanding,
            opened,
            summaries,
        } = LoadedModels::load(settings, keys, checks).map_err(LoadError::Invalid)?;
        let (standard, robust) = (&models.standard.manifest, &models.robust.manifest);
        report_provider_fallback(&models);
        executors.log();
        let executors = executors.executors;
        warn_about_claimed_guarantee(robust, summaries.robust.guarantee_basis.as_ref());

        let batches = PerRole::of(|role| opened[role].batch);
        let vote_chunking = VoteChunking::new(
            batches.robust.rows,
            batches.robust.row_time(),
            executors,
            // Half of what fits, so that one request does not take all capacity for bulk rows.
            (max_outstanding / 2).max(2 * batches.robust.rows),
        );
        let self_test_caveat = self_test_caveat(&opened);
        let backends = opened
            .standard
            .sessions
            .into_iter()
            .zip(opened.robust.sessions)
            .map(|(standard, robust)| PerRole { standard, robust })
            .collect();
        let queue = QueueSettings {
            rows: settings.scheduler.queue_rows,
            max_delay: settings.scheduler.max_queue_delay,
            pin: settings.runtime.pin_executors,
            row_time: PerRole::of(|role| batches[role].row_time()),
            cpu_quota: cpu_quota(),
        };
        Ok(Arc::new(Self {
            config: EngineConfig::new(settings, PerRole { standard, robust }),
            environment: Arc::new(ComputeEnvironment {
                standard_batch_size: batches.standard.rows,
                robust_batch_size: batches.robust.rows,
                runtime_version: runtime.version(),
                processor: cpu_description().to_owned(),
            }),
            spec: robust.input.clone(),
            labels: robust.labels.clone(),
            standard: ServedModel::new(standard, summaries.standard),
            robust: ServedModel::new(robust, summaries.robust),
            scheduler: Scheduler::start(backends, queue, request_runtime, observer)?,
            vote_chunking,
            vote_forecast: VoteForecast::new(),
            robust_inference,
            self_test_caveat,
            drain_deadline,
            shadow_recorders: Recorders::default(),
        }))
    }
}

fn report_provider_fallback(models: &PerRole<Arc<Model>>) {
    let fallback = Role::ALL
        .map(|role| &models[role].provider)
        .into_iter()
        .find(|provider| !provider.note.is_empty());
    match fallback {
        Some(provider) if provider.ignores_gpu => tracing::warn!(
            reason = %provider.note,
            "models run on the CPU: runtime.provider is \"auto\" and the GPU is not usable"
        ),
        Some(provider) => tracing::info!(reason = %provider.note, "models run on the CPU"),
        None => {}
    }
}

fn warn_about_claimed_guarantee(robust: &Manifest, guarantee_basis: Option<&JustifiedBasis>) {
    if let Some(JustifiedBasis {
        basis: Basis::Claimed,
        reason,
    }) = guarantee_basis
    {
        tracing::warn!(
            model = robust.name,
            reason,
            "radii rest on a claim without proof: every certificate carries the basis \"claimed\""
        );
    }
}

/// Returns the caveat of each certificate if a model is served that is not a function; empty if
/// both models are functions.
pub(super) fn self_test_caveat(opened: &PerRole<ModelSessions>) -> String {
    let findings: Vec<String> = Role::ALL
        .into_iter()
        .filter_map(|role| {
            let reason = opened[role].inexact_reason.as_ref()?;
            Some(format!("the {} model: {reason}", role.name()))
        })
        .collect();
    if findings.is_empty() {
        String::new()
    } else {
        inexact_runtime_caveat(&findings.join("; "))
    }
}
