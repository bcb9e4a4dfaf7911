//! Prepares an engine: loads, checks and warms both models. It may fail, and it changes nothing
//! that is in service.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::engine::Engine;
use super::engine_config::EngineConfig;
use super::load_error::LoadError;
use super::model_sessions::{BatchSizeLimits, ModelSessions, open_sessions};
use super::model_summary::ModelSummary;
use super::self_test_inputs::self_test_rows;
use super::served_model::{RobustInference, ServedModel};
use super::serving_mode::VerdictPolicy;
use super::settings_check::check_settings;
use crate::classifier::drain_deadline::DrainDeadline;
use crate::classifier::prediction::certificate_restriction::inexact_runtime_caveat;
use crate::classifier::shadow::Recorders;
use crate::classifier::smoothing::NoiseKeyGenerator;
use crate::classifier::smoothing::concurrency::max_concurrent_inputs;
use crate::classifier::smoothing::smoother::{Smoother, SmootherError};
use crate::classifier::smoothing::vote_chunking::VoteChunking;
use crate::classifier::smoothing::vote_forecast::VoteForecast;
use crate::domain::{Basis, ComputeEnvironment, JustifiedBasis, ModelGuarantee, PerRole, Role};
use crate::onnx::{Manifest, Model, Runtime, check_pair_compatibility, cpu_description, guarantee_basis};
use crate::scheduler::ModelObserver;
use crate::scheduler::{QueueSettings, Scheduler, bulk_capacity};
use crate::settings::{MAX_BATCH_SIZE, Settings, processor_count};

/// The default number of executors on a GPU. One prepares its batch while the batch of the other
/// runs. Each holds both models in the memory of the GPU.
const GPU_EXECUTORS: usize = 2;

impl Engine {
    /// Loads both models and runs each session once. `keys` and `drain_deadline` belong to the
    /// process. Requests run on `request_runtime`. `observer` receives the events of the models.
    ///
    /// # Errors
    /// Returns the first problem, with a remedy.
    pub fn load(
        settings: &Settings,
        keys: Arc<NoiseKeyGenerator>,
        drain_deadline: DrainDeadline,
        request_runtime: &Handle,
        observer: &Arc<dyn ModelObserver>,
    ) -> Result<Arc<Self>, LoadError> {
        let runtime_settings = &settings.runtime;
        let runtime = Runtime::load(&runtime_settings.library)?;
        let load_model = |path| Model::load(&runtime, path, runtime_settings.provider).map(Arc::new);
        let models = PerRole {
            standard: load_model(&settings.models.standard)?,
            robust: load_model(&settings.models.robust)?,
        };
        let (standard, robust) = (&models.standard.manifest, &models.robust.manifest);
        report_provider_fallback(&models);
        check_pair_compatibility(standard, robust)?;
        let guarantee_basis = PerRole {
            standard: guarantee_basis(standard, &settings.proof_keys)?,
            robust: guarantee_basis(robust, &settings.proof_keys)?,
        };
        warn_about_claimed_guarantee(robust, guarantee_basis.robust.as_ref());
        check_settings(settings, &robust.guarantee, robust.output_kind).map_err(LoadError::Settings)?;

        let robust_inference = robust_inference(robust, keys)?;
        let executors = executor_count(settings, &models);
        // The rows that one input of a request for votes may have outstanding.
        let max_outstanding = bulk_capacity(settings.scheduler.queue_rows) / max_concurrent_inputs(settings);
        let opened = open_models(settings, &models, &robust_inference, executors, max_outstanding)?;

        let batches = PerRole::of(|role| opened[role].batch);
        let vote_chunking = VoteChunking::new(
            batches.robust.rows,
            batches.robust.row_time(),
            executors,
            max_outstanding,
        );
        let summaries = PerRole::of(|role| {
            let (guarantee_basis, one_row_reason) =
                (guarantee_basis[role].clone(), opened[role].one_row_reason.clone());
            ModelSummary::new(
                &models[role],
                guarantee_basis,
                executors,
                batches[role].rows,
                one_row_reason,
            )
        });
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
            pin: runtime_settings.pin_executors,
            row_time: PerRole::of(|role| batches[role].row_time()),
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

/// Returns how to evaluate the robust model, from its guarantee.
fn robust_inference(manifest: &Manifest, keys: Arc<NoiseKeyGenerator>) -> Result<RobustInference, LoadError> {
    let ModelGuarantee::GaussianSmoothing { sigma, levels } = manifest.guarantee else {
        return Ok(RobustInference::OneRow);
    };
    let smoother = Smoother::new(&manifest.input, sigma, levels, keys)
        .map_err(|error: SmootherError| LoadError::Smoothing(error.to_string()))?;
    Ok(RobustInference::Votes(Box::new(smoother)))
}

fn executor_count(settings: &Settings, models: &PerRole<Arc<Model>>) -> usize {
    let on_gpu = Role::ALL.into_iter().any(|role| models[role].provider.is_cuda());
    let default = if on_gpu { GPU_EXECUTORS } else { processor_count() };
    settings.runtime.executors.unwrap_or(default)
}

/// Opens and tests the sessions of both models.
fn open_models(
    settings: &Settings,
    models: &PerRole<Arc<Model>>,
    robust_inference: &RobustInference,
    executors: usize,
    max_outstanding: usize,
) -> Result<PerRole<ModelSessions>, LoadError> {
    let runtime = &settings.runtime;
    let policy = VerdictPolicy {
        require_row_independence: runtime.require_row_independence,
        allow_inexact_runtime: settings.certificate.allow_inexact_runtime,
    };
    let open = |role: Role, configured, smoother| {
        let model = &models[role];
        let test_rows = self_test_rows(&model.manifest.input, smoother).map_err(LoadError::Smoothing)?;
        let limits = BatchSizeLimits {
            configured,
            // The queue has space for several requests for votes.
            max_rows: (max_outstanding / 8).min(MAX_BATCH_SIZE),
            max_time: runtime.max_batch_time,
        };
        open_sessions(model, executors, limits, &test_rows, policy)
    };
    let smoother = match robust_inference {
        RobustInference::Votes(smoother) => Some(&**smoother),
        RobustInference::OneRow => None,
    };
    Ok(PerRole {
        standard: open(Role::Standard, runtime.standard_batch_size, None)?,
        robust: open(Role::Robust, runtime.robust_batch_size, smoother)?,
    })
}

/// Returns the caveat of each certificate if a model is served that is not a function; empty if
/// both models are functions.
fn self_test_caveat(opened: &PerRole<ModelSessions>) -> String {
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
