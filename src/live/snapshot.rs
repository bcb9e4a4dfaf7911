//! What one request reads.

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use thiserror::Error;

use super::ConfigStatus;
use crate::classifier::MixedClassifier;
use crate::settings::{ServerSettings, Settings};

/// One configuration, prepared: all that a request reads, from its first check to its answer.
pub struct Snapshot {
    /// Both models, mixed.
    pub classifier: MixedClassifier,
    /// The limits on requests.
    pub server: Arc<ServerSettings>,
}

/// What is live. Each request loads its snapshot exactly once.
pub struct Live {
    snapshot: ArcSwapOption<Snapshot>,
    /// Also before there is a snapshot.
    server: ArcSwap<ServerSettings>,
    status: ArcSwap<ConfigStatus>,
}

/// Nothing is live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the models are not loaded yet, or the server is stopping")]
pub struct NotLive;

impl Live {
    /// Nothing yet, but the limits that `settings` name.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            snapshot: ArcSwapOption::empty(),
            server: ArcSwap::from_pointee(settings.server.clone()),
            status: ArcSwap::from_pointee(ConfigStatus::starting(settings)),
        }
    }

    /// The one snapshot of a request.
    ///
    /// # Errors
    /// If nothing is live: before the models have warmed up.
    pub fn load(&self) -> Result<Arc<Snapshot>, NotLive> {
        self.snapshot.load_full().ok_or(NotLive)
    }

    /// The limits on what is not yet a request: those of the newest snapshot.
    #[must_use]
    pub fn server(&self) -> Arc<ServerSettings> {
        self.server.load_full()
    }

    /// What is in force, and what was asked for.
    #[must_use]
    pub fn status(&self) -> Arc<ConfigStatus> {
        self.status.load_full()
    }

    /// Swaps `snapshot` in. Requests in flight keep the one that they loaded.
    pub fn swap(&self, snapshot: Snapshot) {
        self.server.store(Arc::clone(&snapshot.server));
        self.snapshot.store(Some(Arc::new(snapshot)));
    }

    pub(super) fn tell(&self, status: ConfigStatus) {
        self.status.store(Arc::new(status));
    }

    /// Takes the snapshot out; the last request that reads it ends it.
    #[must_use]
    pub fn take(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.swap(None)
    }
}
