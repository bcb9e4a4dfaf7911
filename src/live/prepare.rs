//! Prepares a config change. This may fail, and it changes nothing that serves.

use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error;
use tokio::runtime::Handle;

use super::draining_engines::DrainingEngines;
use super::snapshot::Snapshot;
use crate::classifier::{
    DrainDeadline, Engine, EngineConfig, LoadChecks, LoadError, MixedClassifier, NoiseKeyGenerator,
};
use crate::domain::Violations;
use crate::scheduler::ModelObserver;
use crate::settings::{self, FileDigests, Settings, described_keys};

/// Loads engines. Its fields belong to the process and outlive each engine.
#[derive(Clone)]
pub struct EngineLoader {
    /// The source of noise keys. It counts on across reloads, so no key is used twice.
    pub keys: Arc<NoiseKeyGenerator>,
    /// The time by which certifications end once the server drains.
    pub drain_deadline: DrainDeadline,
    /// The runtime that wakes the callers.
    pub callers: Handle,
    /// Receives the events of the executors.
    pub observer: Arc<dyn ModelObserver>,
    /// Whether a load goes on after a violation.
    pub checks: LoadChecks,
    /// The digests of the files that models are loaded from.
    pub digests: Arc<FileDigests>,
}

/// Replaces the log filter. It cannot fail: the settings have parsed the filter.
pub type SetLogFilter = Arc<dyn Fn(&str) + Send + Sync>;

/// Why a config change is rejected.
#[derive(Debug, Error)]
pub enum ReloadError {
    /// The settings file cannot be read, or it is invalid.
    #[error(transparent)]
    Settings(#[from] settings::SettingsError),
    /// The change touches keys that only a restart can change, or values that do not fit.
    #[error("{0}")]
    Rejected(#[from] Violations),
    /// The models cannot be loaded.
    #[error("the models cannot be loaded: {0}")]
    Models(#[from] LoadError),
}

impl ReloadError {
    /// Every violation, with its key.
    #[must_use]
    pub fn violations(&self) -> Violations {
        match self {
            Self::Settings(error) => error.violations(),
            Self::Rejected(violations) | Self::Models(LoadError::Invalid(violations)) => violations.clone(),
            Self::Models(error) => Violations::one("models", error.to_string()),
        }
    }
}

impl EngineLoader {
    /// Loads both models of `settings`.
    ///
    /// # Errors
    /// If a model cannot be loaded; the message states the cause and the remedy.
    pub fn load(&self, settings: &Settings) -> Result<Arc<Engine>, LoadError> {
        Engine::load(
            settings,
            Arc::clone(&self.keys),
            self.drain_deadline.clone(),
            &self.callers,
            &self.observer,
            self.checks,
        )
    }

    /// `serving` if it has the configuration of `settings`, or else a new engine.
    fn engine_for(
        &self,
        settings: &Settings,
        serving: &Arc<Engine>,
        draining: &DrainingEngines,
    ) -> Result<Arc<Engine>, ReloadError> {
        let read = EngineConfig::read(settings, &self.digests).map_err(LoadError::Invalid)?;
        if read == *serving.config() {
            return Ok(Arc::clone(serving));
        }
        if draining.is_full() {
            let reason =
                "models that a reload has replaced still answer requests; the reload is retried after they end";
            return Err(rejected("models", reason.to_owned()));
        }
        tracing::info!("loading new models beside those that serve");
        let engine = self.load(settings)?;
        // At the start, "auto" may fall back to the CPU and reports it. A reload must not do so
        // silently while callers rely on the speed of the GPU.
        if serving.runs_on_cuda() && !engine.runs_on_cuda() {
            let reason = "the new models would run on the CPU, but the models that serve run on CUDA";
            return Err(rejected("runtime.provider", reason.to_owned()));
        }
        Ok(engine)
    }
}

fn rejected(key: &str, reason: String) -> ReloadError {
    ReloadError::Rejected(Violations::one(key, reason))
}

/// A config change that is ready to be swapped in.
pub(super) struct Prepared {
    pub(super) settings: Settings,
    pub(super) engine: Arc<Engine>,
}

/// Prepares the change from the engine `serving` to the settings `next`, which a running server can
/// apply.
pub(super) fn prepare(
    next: Settings,
    serving: &Arc<Engine>,
    loader: &EngineLoader,
    draining: &DrainingEngines,
) -> Result<Prepared, ReloadError> {
    let engine = loader.engine_for(&next, serving, draining)?;
    // The reloader builds the snapshot: only it has the alpha at which a ramp starts.
    engine.check_settings(&next)?;
    Ok(Prepared { settings: next, engine })
}

/// The snapshot that requests read under `settings`.
pub(super) fn snapshot(engine: &Arc<Engine>, settings: &Settings) -> Result<Snapshot, Violations> {
    Ok(Snapshot {
        classifier: MixedClassifier::new(Arc::clone(engine), settings)?,
        server: Arc::new(settings.server.clone()),
    })
}

/// The keys whose values differ, each as `key: old -> new`. The value of a secret is not shown.
pub(super) fn differences(from: &BTreeMap<String, String>, to: &BTreeMap<String, String>) -> Vec<String> {
    let described = described_keys();
    let is_secret = |name: &str| described.iter().any(|key| key.name == name && key.is_secret);
    let changed = to.iter().filter_map(|(key, new)| {
        let old = from.get(key)?;
        (old != new).then(|| match is_secret(key) {
            true => format!("{key}: changed"),
            false => format!("{key}: {old} -> {new}"),
        })
    });
    changed.collect()
}
