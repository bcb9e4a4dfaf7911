//! Prepares an engine: loads, checks and warms both models. May fail; changes nothing that serves.

use std::io;
use std::sync::Arc;

use thiserror::Error;
use tokio::runtime::Handle;

use super::engine::{check_settings, lanes};
use super::open_sessions::{self, BatchLimits, ModelSessions, SelfTestPolicy};
use super::self_test_inputs::test_rows;
use super::served_model::{RobustInference, ServedModel};
use super::{Engine, EngineConfig, ModelSummary};
use crate::classifier::NoiseKeyGenerator;
use crate::classifier::drain_deadline::DrainDeadline;
use crate::classifier::prediction::certificate_restriction;
use crate::classifier::shadow::Recorders;
use crate::classifier::smoothing::smoother::{Smoother, SmootherError};
use crate::classifier::smoothing::vote_chunking::{VoteChunking, VoteForecast};
use crate::domain::{Basis, Grounds, Guarantee, PerRole, Place, Role, Violations};
use crate::onnx::{BackendError, Manifest, Model, OnnxError, Runtime, check_pair, grounds, processor};
use crate::scheduler::ModelObserver;
use crate::scheduler::{QueueSettings, Scheduler, bulk_capacity};
use crate::settings::{MAX_BATCH_SIZE, Settings, processors};

/// Executors that keep a GPU busy: one prepares its batch while the other's runs. Each holds both models in the GPU's memory.
const GPU_EXECUTORS: usize = 2;

/// Why a mixed classifier cannot be served: each says what to do.
#[derive(Debug, Error)]
pub enum LoadError {
    /// A model, or the runtime.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// A model that does not run.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// Settings that do not fit the models.
    #[error("the settings do not fit the models:\n{0}")]
    Settings(Violations),
    /// The guarantee cannot be turned into noise.
    #[error("the robust model's manifest: {0}")]
    Smoothing(String),
    /// A model does not compute a function of its input, so neither a class nor a certificate means anything.
    #[error(
        "the self-test failed: {0}\n  every answer needs models that compute one function of each row; use \
         runtime.provider = \"cpu\", export the model without operators that draw random numbers, or set \
         certificate.allow_inexact_runtime = true to serve certificates that say so"
    )]
    Inexact(String),
    /// A model's answer for a row depends on the batch that the row is in, and the operator wants no such model.
    #[error(
        "the model {model} may answer a row by its batch: {what}\n  export it so that each row is computed by itself, or set \
         runtime.require_row_independence = false to run it one row at a time"
    )]
    DependsOnBatch {
        /// Its name.
        model: String,
        /// What differed.
        what: String,
    },
    /// A model that answers NaN or infinity, whatever it is given.
    #[error(
        "the model {model} answers NaN or infinity on each of {rows} different rows\n  it can answer nothing; a model in \
         float16 may overflow: export it in float32, and look at its weights"
    )]
    NotFinite {
        /// Its name.
        model: String,
        /// Rows that were run.
        rows: usize,
    },
    /// A model whose manifest promises probabilities.
    #[error(
        "output.kind: the manifest of the model {model} says \"probabilities\", but {bad} of {rows} rows are not in [0, 1] \
         with the sum 1"
    )]
    NotProbabilities {
        /// Its name.
        model: String,
        /// Rows that were none.
        bad: usize,
        /// Rows that were run.
        rows: usize,
    },
    /// No thread.
    #[error("cannot start an executor thread: {0}")]
    Thread(#[from] io::Error),
}

impl Engine {
    /// Loads both models and runs each session. `keys` and `drain_deadline` are those of the process; requests come from `callers`;
    /// `observer` is told what the models do.
    ///
    /// # Errors
    /// With what is wrong, and what to do about it.
    pub fn load(
        settings: &Settings,
        keys: Arc<NoiseKeyGenerator>,
        drain_deadline: DrainDeadline,
        callers: &Handle,
        observer: &Arc<dyn ModelObserver>,
    ) -> Result<Arc<Self>, LoadError> {
        let runtime_settings = &settings.runtime;
        let runtime = Runtime::load(&runtime_settings.library)?;
        let load = |path| Model::load(&runtime, path, runtime_settings.provider).map(Arc::new);
        let models = PerRole {
            standard: load(&settings.models.standard)?,
            robust: load(&settings.models.robust)?,
        };
        let (standard, robust) = (&models.standard.manifest, &models.robust.manifest);
        if let Some(note) = Role::ALL
            .map(|role| &models[role].provider.note)
            .into_iter()
            .find(|note| !note.is_empty())
        {
            tracing::warn!("RUNNING ON THE CPU: runtime.provider is \"auto\" and {note}");
        }
        check_pair(standard, robust)?;
        let grounds = PerRole {
            standard: grounds(standard, &settings.proof_keys)?,
            robust: grounds(robust, &settings.proof_keys)?,
        };
        if let Some(Grounds {
            basis: Basis::Claimed,
            why,
        }) = &grounds.robust
        {
            tracing::warn!(
                model = robust.name,
                "RADII REST ON A CLAIM: {why}; every certificate says \"claimed\""
            );
        }
        check_settings(settings, &robust.guarantee, robust.output_kind).map_err(LoadError::Settings)?;

        let spec = robust.input.clone();
        let on_gpu = Role::ALL.into_iter().any(|role| models[role].provider.is_cuda());
        let usual = if on_gpu { GPU_EXECUTORS } else { processors() };
        let executors = runtime_settings.executors.unwrap_or(usual);
        let room = bulk_capacity(settings.scheduler.queue_rows) / lanes(settings);
        let limits = |set| BatchLimits {
            set,
            // The queue should hold a few requests for votes.
            largest: (room / 8).min(MAX_BATCH_SIZE),
            max_time: runtime_settings.max_batch_time,
        };
        let robust_kind = robust_kind(robust, keys)?;
        let policy = SelfTestPolicy {
            require_row_independence: runtime_settings.require_row_independence,
            allow_inexact_runtime: settings.certificate.allow_inexact_runtime,
        };
        let open = |role: Role, set, smoother| {
            let model = &models[role];
            let rows = test_rows(&model.manifest.input, smoother).map_err(LoadError::Smoothing)?;
            open_sessions::open(model, executors, limits(set), &rows, policy)
        };
        let smoother = match &robust_kind {
            RobustInference::Smoothed(smoother) => Some(&**smoother),
            RobustInference::OneRow => None,
        };
        let opened = PerRole {
            standard: open(Role::Standard, runtime_settings.standard_batch_size, None)?,
            robust: open(Role::Robust, runtime_settings.robust_batch_size, smoother)?,
        };
        let batches = PerRole::of(|role| opened[role].batch);
        let chunks = VoteChunking::new(batches.robust.rows, batches.robust.row_time(), executors, room);

        let summaries = PerRole::of(|role| {
            let (grounds, one_row) = (grounds[role].clone(), opened[role].one_row.clone());
            ModelSummary::new(&models[role], grounds, executors, batches[role].rows, one_row)
        });
        let caveat = caveat(&opened);
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
            config: EngineConfig::of(settings, PerRole { standard, robust }),
            place: Arc::new(Place {
                standard_batch_size: batches.standard.rows,
                robust_batch_size: batches.robust.rows,
                runtime_version: runtime.version(),
                processor: processor().to_owned(),
            }),
            spec,
            labels: robust.labels.clone(),
            standard: ServedModel::new(standard, summaries.standard),
            robust: ServedModel::new(robust, summaries.robust),
            scheduler: Scheduler::start(backends, queue, callers, observer)?,
            chunks,
            vote_forecast: VoteForecast::new(),
            robust_kind,
            caveat,
            drain_deadline,
            shadow: Recorders::default(),
        }))
    }
}

fn robust_kind(manifest: &Manifest, keys: Arc<NoiseKeyGenerator>) -> Result<RobustInference, LoadError> {
    let Guarantee::GaussianSmoothing { sigma, levels } = manifest.guarantee else {
        return Ok(RobustInference::OneRow);
    };
    let smoother = Smoother::new(&manifest.input, sigma, levels, keys)
        .map_err(|error: SmootherError| LoadError::Smoothing(error.to_string()))?;
    Ok(RobustInference::Smoothed(Box::new(smoother)))
}

/// What each certificate says if a model is served though it is no function; empty if both are.
fn caveat(opened: &PerRole<ModelSessions>) -> String {
    let found: Vec<String> = Role::ALL
        .into_iter()
        .filter_map(|role| Some(format!("the {} model: {}", role.name(), opened[role].inexact.as_ref()?)))
        .collect();
    if found.is_empty() {
        String::new()
    } else {
        certificate_restriction::by_leave(&found.join("; "))
    }
}
