//! What one request reads.

use std::sync::Arc;

use arc_swap::ArcSwap;
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
    now: ArcSwap<Now>,
    /// Also before there is a snapshot.
    server: ArcSwap<ServerSettings>,
}

/// Swapped as one, so that nobody sees the one before the change and the other after it.
struct Now {
    snapshot: Option<Arc<Snapshot>>,
    status: Arc<ConfigStatus>,
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
            now: ArcSwap::from_pointee(Now {
                snapshot: None,
                status: Arc::new(ConfigStatus::starting(settings)),
            }),
            server: ArcSwap::from_pointee(settings.server.clone()),
        }
    }

    /// The one snapshot of a request.
    ///
    /// # Errors
    /// If nothing is live: before the models have warmed up.
    pub fn load(&self) -> Result<Arc<Snapshot>, NotLive> {
        self.now.load().snapshot.clone().ok_or(NotLive)
    }

    /// The snapshot, and the status that belongs to it.
    ///
    /// # Errors
    /// If nothing is live: before the models have warmed up.
    pub fn load_with_status(&self) -> Result<(Arc<Snapshot>, Arc<ConfigStatus>), NotLive> {
        let now = self.now.load();
        let snapshot = now.snapshot.clone().ok_or(NotLive)?;
        Ok((snapshot, Arc::clone(&now.status)))
    }

    /// The limits on what is not yet a request: those of the newest snapshot.
    #[must_use]
    pub fn server(&self) -> Arc<ServerSettings> {
        self.server.load_full()
    }

    /// What is in force, and what was asked for.
    #[must_use]
    pub fn status(&self) -> Arc<ConfigStatus> {
        Arc::clone(&self.now.load().status)
    }

    /// Swaps `snapshot` in, and the status that belongs to it. Requests in flight keep the one that they loaded.
    pub(super) fn swap(&self, snapshot: Snapshot, status: Arc<ConfigStatus>) {
        self.server.store(Arc::clone(&snapshot.server));
        self.now.store(Arc::new(Now {
            snapshot: Some(Arc::new(snapshot)),
            status,
        }));
    }

    /// Leaves the snapshot as it is.
    pub(super) fn tell(&self, status: ConfigStatus) {
        let status = Arc::new(status);
        self.now.rcu(|now| Now {
            snapshot: now.snapshot.clone(),
            status: Arc::clone(&status),
        });
    }

    /// Takes the snapshot out; the last request that reads it ends it.
    #[must_use]
    pub fn take(&self) -> Option<Arc<Snapshot>> {
        let before = self.now.rcu(|now| Now {
            snapshot: None,
            status: Arc::clone(&now.status),
        });
        before.snapshot.clone()
    }
}
