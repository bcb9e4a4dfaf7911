//! Loads, checks and tests both models, and reports every violation at once.

use std::sync::Arc;

use super::executor_count::{ExecutorCount, model_bytes};
use super::manifest_check::{CheckedManifests, check_manifests, model_key, read_manifest, record};
use super::model_error::ModelError;
use super::model_sessions::{BatchSizeLimits, ModelSessions, open_sessions};
use super::model_summary::ModelSummary;
use super::self_test_inputs::self_test_rows;
use super::served_model::RobustInference;
use super::serving_mode::VerdictPolicy;
use crate::classifier::smoothing::NoiseKeyGenerator;
use crate::classifier::smoothing::concurrency::max_concurrent_inputs;
use crate::domain::{PerRole, Role, Violations};
use crate::onnx::{Model, ModelFile, Runtime};
use crate::scheduler::bulk_capacity;
use crate::settings::{MAX_BATCH_SIZE, Settings};

/// Whether a load goes on to run the models after a violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadChecks {
    /// Runs the models only if nothing else is wrong. A reload that is refused then costs the models
    /// that serve no time.
    UntilRefused,
    /// Runs every model that can be loaded, so that one check reports everything.
    All,
}

/// Both models, open and tested.
pub(super) struct LoadedModels {
    pub(super) runtime: Runtime,
    pub(super) models: PerRole<Arc<Model>>,
    pub(super) robust_inference: RobustInference,
    pub(super) executors: ExecutorCount,
    /// The rows that one input of a request for votes may have outstanding.
    pub(super) max_outstanding: usize,
    pub(super) opened: PerRole<ModelSessions>,
    pub(super) summaries: PerRole<ModelSummary>,
}

impl LoadedModels {
    /// Loads the models that `settings` name.
    ///
    /// # Errors
    /// With every violation, each with the key that names the model or the value.
    pub(super) fn load(
        settings: &Settings,
        keys: Arc<NoiseKeyGenerator>,
        checks: LoadChecks,
    ) -> Result<Self, Violations> {
        let mut violations = Violations::default();
        let manifests = PerRole::of(|role| read_manifest(settings, role, &mut violations));
        let CheckedManifests {
            manifests,
            bases,
            robust_inference,
        } = check_manifests(manifests, settings, keys, &mut violations);
        let runtime = record(
            Runtime::load(&settings.runtime.library),
            "runtime.library",
            &mut violations,
        );
        let models = PerRole::of(|role| {
            let key = model_key(role);
            let file = record(ModelFile::read(manifests[role].clone()?), key, &mut violations)?;
            let loaded = Model::from_file(runtime.as_ref()?, file, settings.runtime.provider);
            record(loaded, key, &mut violations).map(Arc::new)
        });
        let on_gpu = Role::ALL.into_iter().any(|role| is_on_gpu(&models, role));
        let count = ExecutorCount::new(settings, on_gpu, model_bytes(&manifests));
        let executors = count.executors;
        let max_outstanding = bulk_capacity(settings.scheduler.queue_rows) / max_concurrent_inputs(settings);
        let opened = PerRole::of(|role| {
            if checks == LoadChecks::UntilRefused && !violations.0.is_empty() {
                return None;
            }
            let model = models[role].as_ref()?;
            let inference = match role {
                Role::Standard => &RobustInference::OneRow,
                Role::Robust => robust_inference.as_ref()?,
            };
            let opened = open_model(settings, role, model, inference, executors, max_outstanding);
            record(opened, model_key(role), &mut violations)
        });
        violations.into_result()?;
        // Without a violation every value is there.
        let loaded = || {
            let models = both(models)?;
            let opened = both(opened)?;
            let mut bases = both(bases)?;
            let summaries = PerRole::of(|role| {
                ModelSummary::new(
                    &models[role],
                    bases[role].take(),
                    executors,
                    opened[role].batch.rows,
                    opened[role].one_row_reason.clone(),
                )
            });
            Some(Self {
                runtime: runtime?,
                models,
                robust_inference: robust_inference?,
                executors: count,
                max_outstanding,
                opened,
                summaries,
            })
        };
        loaded().ok_or_else(Violations::default)
    }
}

/// Both values, if there are both.
fn both<T>(values: PerRole<Option<T>>) -> Option<PerRole<T>> {
    let PerRole {
        standard: Some(standard),
        robust: Some(robust),
    } = values
    else {
        return None;
    };
    Some(PerRole { standard, robust })
}

fn is_on_gpu(models: &PerRole<Option<Arc<Model>>>, role: Role) -> bool {
    models[role].as_ref().is_some_and(|model| model.provider.is_cuda())
}

/// Opens and tests the sessions of one model.
fn open_model(
    settings: &Settings,
    role: Role,
    model: &Arc<Model>,
    inference: &RobustInference,
    executors: usize,
    max_outstanding: usize,
) -> Result<ModelSessions, ModelError> {
    let runtime = &settings.runtime;
    let policy = VerdictPolicy {
        require_row_independence: runtime.require_row_independence,
        allow_inexact_runtime: settings.certificate.allow_inexact_runtime,
    };
    let smoother = match inference {
        RobustInference::Votes(smoother) => Some(&**smoother),
        RobustInference::OneRow => None,
    };
    let test_rows = self_test_rows(&model.manifest.input, smoother).map_err(ModelError::Smoothing)?;
    let limits = BatchSizeLimits {
        configured: match role {
            Role::Standard => runtime.standard_batch_size,
            Role::Robust => runtime.robust_batch_size,
        },
        // The queue has space for several requests for votes.
        max_rows: (max_outstanding / 8).min(MAX_BATCH_SIZE),
        max_time: runtime.max_batch_time,
    };
    open_sessions(model, executors, limits, &test_rows, policy)
}
