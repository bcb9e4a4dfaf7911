//! Prepares an engine: loads, checks and warms both models. May fail; changes nothing that serves.

use std::io;
use std::sync::Arc;

use thiserror::Error;
use tokio::runtime::Handle;

use super::curfew::Curfew;
use super::engine::{check_settings, lanes};
use super::parts::{Robust, Side};
use super::room::{Appetite, Chunks};
use super::sessions::{self, BatchLimits};
use super::shadow::Desk;
use super::smoother::{Smoother, SmootherError};
use super::{Blueprint, Engine, ModelSummary, NoiseKeys};
use crate::certificate::noise::NoiseKey;
use crate::domain::{Basis, Grounds, Guarantee, Input, InputSpec, PerRole, Place, Role, Violations};
use crate::onnx::{
    BackendError, Manifest, Model, OnnxError, OnnxSession, Runtime, SelfTest, check_pair, grounds, processor, self_test,
};
use crate::scheduler::{Measured, QueueSettings, RowSource as _, Scheduler, bulk_capacity};
use crate::settings::{MAX_BATCH_SIZE, Settings, processors};
use crate::telemetry::models::ModelObserver;

/// Executors that keep a GPU busy: one prepares its batch while the other's runs. Each holds both models in the GPU's memory.
const GPU_EXECUTORS: usize = 2;

/// Inputs that the self-test runs.
const SELF_TEST_ROWS: usize = 5;

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
    /// The runtime does not compute a function, so votes would prove nothing.
    #[error(
        "the self-test failed: {0}\n  smoothed certificates need a runtime that computes one function of each row; use \
         runtime.provider = \"cpu\", or set certificate.allow_inexact_runtime = true to serve certificates that say so"
    )]
    Inexact(String),
    /// No thread.
    #[error("cannot start an executor thread: {0}")]
    Thread(#[from] io::Error),
}

impl Engine {
    /// Loads both models and runs each session. `keys` and `curfew` are those of the process; requests come from `callers`;
    /// `observer` is told what the models do.
    ///
    /// # Errors
    /// With what is wrong, and what to do about it.
    pub fn load(
        settings: &Settings,
        keys: Arc<NoiseKeys>,
        curfew: Curfew,
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
        let mut grounds = PerRole {
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
        let open = |role, set| sessions::open(&models[role], executors, limits(set));
        let (standard_sessions, standard_batch) = open(Role::Standard, runtime_settings.standard_batch_size)?;
        let (mut robust_sessions, robust_batch) = open(Role::Robust, runtime_settings.robust_batch_size)?;
        let chunks = Chunks::new(robust_batch.rows, robust_batch.row_time(), executors, room);
        let (robust_kind, caveat) = robust_kind(settings, robust, &mut robust_sessions, keys)?;

        let mut summary =
            |role: Role, batch: Measured| ModelSummary::new(&models[role], grounds[role].take(), executors, batch.rows);
        let backends = standard_sessions
            .into_iter()
            .zip(robust_sessions)
            .map(|(standard, robust)| PerRole { standard, robust })
            .collect();
        let queue = QueueSettings {
            rows: settings.scheduler.queue_rows,
            max_delay: settings.scheduler.max_queue_delay,
            pin: runtime_settings.pin_executors,
            row_time: PerRole {
                standard: standard_batch.row_time(),
                robust: robust_batch.row_time(),
            },
        };
        Ok(Arc::new(Self {
            blueprint: Blueprint::of(settings, PerRole { standard, robust }),
            place: Arc::new(Place {
                standard_batch_size: standard_batch.rows,
                robust_batch_size: robust_batch.rows,
                runtime_version: runtime.version(),
                processor: processor().to_owned(),
            }),
            spec,
            labels: robust.labels.clone(),
            standard: Side::new(standard, summary(Role::Standard, standard_batch)),
            robust: Side::new(robust, summary(Role::Robust, robust_batch)),
            scheduler: Scheduler::start(backends, queue, callers, observer)?,
            chunks,
            appetite: Appetite::new(),
            robust_kind,
            caveat,
            curfew,
            shadow: Desk::default(),
        }))
    }
}

fn robust_kind(
    settings: &Settings,
    manifest: &Manifest,
    sessions: &mut [OnnxSession],
    keys: Arc<NoiseKeys>,
) -> Result<(Robust, String), LoadError> {
    let Guarantee::GaussianSmoothing { sigma, levels } = manifest.guarantee else {
        return Ok((Robust::OneRow, String::new()));
    };
    let smoothing = |error: SmootherError| LoadError::Smoothing(error.to_string());
    let smoother = Smoother::new(&manifest.input, sigma, levels, keys).map_err(smoothing)?;
    let rows = noisy_rows(&smoother, &manifest.input).map_err(LoadError::Smoothing)?;
    let caveat = match self_test(sessions, &rows)? {
        SelfTest::Exact => {
            sessions
                .iter_mut()
                .try_for_each(|session| session.expect_exactly(&rows))?;
            String::new()
        }
        SelfTest::Inexact { what } if settings.certificate.allow_inexact_runtime => {
            tracing::warn!(
                "CERTIFICATES CARRY A CAVEAT: the self-test failed ({what}) and certificate.allow_inexact_runtime is set"
            );
            format!("the runtime is not exact, by the operator's leave: {what}")
        }
        SelfTest::Inexact { what } => return Err(LoadError::Inexact(what)),
    };
    Ok((Robust::Smoothed(Box::new(smoother)), caveat))
}

/// Rows like those that will be served: noise around the middle of the range.
fn noisy_rows(smoother: &Smoother, spec: &InputSpec) -> Result<Vec<f32>, String> {
    #[expect(clippy::cast_possible_truncation, reason = "any value in the range will do")]
    let middle = f64::midpoint(spec.low, spec.high) as f32;
    let input = Input::from_floats(&vec![middle; spec.dimension()]);
    let snapped = smoother.snap(&input).map_err(|error| error.to_string())?;
    let source = smoother.rows(&snapped, &NoiseKey::from_bytes([0; 32]), 0);
    let mut rows = vec![0.0; SELF_TEST_ROWS * spec.dimension()];
    for (number, row) in rows.chunks_exact_mut(spec.dimension()).enumerate() {
        source.fill(number, row)?;
    }
    Ok(rows)
}
