//! Prepares what a change of the configuration asks for. May fail; changes nothing that serves.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;
use tokio::runtime::Handle;

use super::Snapshot;
use super::contents::files_of;
use super::retired::Retired;
use crate::classifier::{Blueprint, Curfew, Engine, LoadError, MixedClassifier, NoiseKeys};
use crate::domain::Violations;
use crate::settings::{self, Settings, check_reload};
use crate::telemetry::models::ModelObserver;

/// Makes engines: what is the process's own, whichever models it serves.
#[derive(Clone)]
pub struct Loader {
    /// Keys of the noise.
    pub keys: Arc<NoiseKeys>,
    /// When the server stops.
    pub curfew: Curfew,
    /// Where callers are answered.
    pub callers: Handle,
    /// Who is told what the models do.
    pub observer: Arc<dyn ModelObserver>,
}

/// Puts in force what was prepared beside the models. Cannot fail.
pub type Commit = Box<dyn FnOnce() + Send>;

/// Prepares what else the settings speak of: certificates, tokens, the filter of the logs.
pub type PrepareParts = Arc<dyn Fn(&Settings) -> Result<Commit, Violations> + Send + Sync>;

/// Why a change is not in force.
#[derive(Debug, Error)]
pub enum ReloadError {
    /// The settings file.
    #[error(transparent)]
    Settings(#[from] settings::SettingsError),
    /// Keys that this process cannot change, or values that do not fit.
    #[error("{0}")]
    Refused(#[from] Violations),
    /// The models.
    #[error("the models cannot be loaded: {0}")]
    Models(#[from] LoadError),
}

impl ReloadError {
    /// Each thing that is wrong, with its key.
    #[must_use]
    pub fn violations(&self) -> Violations {
        match self {
            Self::Settings(error) => error.violations(),
            Self::Refused(violations) | Self::Models(LoadError::Settings(violations)) => violations.clone(),
            Self::Models(error) => Violations::one("models", error.to_string()),
        }
    }
}

impl Loader {
    /// Both models as `settings` ask for them.
    ///
    /// # Errors
    /// With what is wrong, and what to do about it.
    pub fn load(&self, settings: &Settings) -> Result<Arc<Engine>, LoadError> {
        Engine::load(
            settings,
            Arc::clone(&self.keys),
            self.curfew.clone(),
            &self.callers,
            &self.observer,
        )
    }

    /// `serving` if that is what `settings` ask for, or a new engine beside it.
    fn engine(
        &self,
        settings: &Settings,
        serving: &Arc<Engine>,
        retired: &Retired,
    ) -> Result<Arc<Engine>, ReloadError> {
        let read = Blueprint::read(settings).map_err(LoadError::from)?;
        if read == *serving.blueprint() {
            return Ok(Arc::clone(serving));
        }
        if retired.is_full() {
            let why = "models that were replaced before still answer requests; this is tried again when they have";
            return Err(refused("models", why.to_owned()));
        }
        tracing::info!("the models are loaded anew, beside those that serve");
        let engine = self.load(settings)?;
        // "auto" may choose the processor at the start, and says so; not behind the back of callers who have a GPU's answers.
        if serving.runs_on_cuda() && !engine.runs_on_cuda() {
            let why = "the models would run on the processor, and those that serve run on CUDA";
            return Err(refused("runtime.provider", why.to_owned()));
        }
        Ok(engine)
    }
}

fn refused(key: &str, why: String) -> ReloadError {
    ReloadError::Refused(Violations::one(key, why))
}

/// A pipe would be waited for, and nothing could be reloaded until somebody wrote into it.
fn regular(files: &[PathBuf]) -> Result<(), ReloadError> {
    match files
        .iter()
        .find(|file| std::fs::metadata(file).is_ok_and(|found| !found.is_file()))
    {
        Some(file) => Err(refused("file", format!("{} is not a regular file", file.display()))),
        None => Ok(()),
    }
}

/// A change that is ready.
pub(super) struct Prepared {
    pub(super) settings: Settings,
    pub(super) engine: Arc<Engine>,
    pub(super) commit: Commit,
}

/// What `next` asks for, if a server with `now` and `serving` can go over to it.
pub(super) fn prepare(
    next: Settings,
    now: &Settings,
    serving: &Arc<Engine>,
    loader: &Loader,
    parts: &PrepareParts,
    retired: &Retired,
) -> Result<Prepared, ReloadError> {
    check_reload(now, &next)?;
    regular(&files_of(&next))?;
    let commit = parts(&next)?;
    let engine = loader.engine(&next, serving, retired)?;
    // The snapshot itself is made when it is known with which alpha it begins.
    engine.check(&next)?;
    Ok(Prepared {
        settings: next,
        engine,
        commit,
    })
}

/// What requests read under `settings`.
pub(super) fn snapshot(engine: &Arc<Engine>, settings: &Settings) -> Result<Snapshot, Violations> {
    Ok(Snapshot {
        classifier: MixedClassifier::new(Arc::clone(engine), settings)?,
        server: Arc::new(settings.server.clone()),
    })
}

/// The keys that differ, each as `key: old -> new`.
pub(super) fn differences(from: &BTreeMap<String, String>, to: &BTreeMap<String, String>) -> String {
    let changed = to.iter().filter_map(|(key, new)| {
        let old = from.get(key)?;
        (old != new).then(|| format!("{key}: {old} -> {new}"))
    });
    changed.collect::<Vec<_>>().join(", ")
}
