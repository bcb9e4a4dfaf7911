//! The state that one request reads.

use std::sync::Arc;

use arc_swap::ArcSwap;
use thiserror::Error;

use super::status::ConfigStatus;
use crate::classifier::MixedClassifier;
use crate::settings::{ServerSettings, Settings};

/// One prepared configuration: everything that a request reads, from its first check to its
/// response.
pub struct Snapshot {
    /// The mixture of both models.
    pub classifier: MixedClassifier,
    /// The limits on requests.
    pub server: Arc<ServerSettings>,
}

/// The current snapshot. Each request loads it exactly once.
pub struct CurrentSnapshot {
    current: ArcSwap<Current>,
    /// The limits, which exist before there is a snapshot.
    server: ArcSwap<ServerSettings>,
}

/// A snapshot and its status, swapped as one value so that no reader sees halves of two configs.
struct Current {
    snapshot: Option<Arc<Snapshot>>,
    status: Arc<ConfigStatus>,
}

/// There is no snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the models are not loaded yet, or the server is stopping")]
pub struct NoSnapshot;

impl CurrentSnapshot {
    /// No snapshot yet; the limits are those of `settings`.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            current: ArcSwap::from_pointee(Current {
                snapshot: None,
                status: Arc::new(ConfigStatus::starting(settings)),
            }),
            server: ArcSwap::from_pointee(settings.server.clone()),
        }
    }

    /// The snapshot of a new request.
    ///
    /// # Errors
    /// [`NoSnapshot`] before the models have warmed up and once the server has stopped.
    pub fn load(&self) -> Result<Arc<Snapshot>, NoSnapshot> {
        self.current.load().snapshot.clone().ok_or(NoSnapshot)
    }

    /// The snapshot and its status.
    ///
    /// # Errors
    /// As [`CurrentSnapshot::load`].
    pub fn load_with_status(&self) -> Result<(Arc<Snapshot>, Arc<ConfigStatus>), NoSnapshot> {
        let current = self.current.load();
        let snapshot = current.snapshot.clone().ok_or(NoSnapshot)?;
        Ok((snapshot, Arc::clone(&current.status)))
    }

    /// The limits of the newest snapshot, for work before a request has loaded one.
    #[must_use]
    pub fn server(&self) -> Arc<ServerSettings> {
        self.server.load_full()
    }

    /// The status of the configuration.
    #[must_use]
    pub fn status(&self) -> Arc<ConfigStatus> {
        Arc::clone(&self.current.load().status)
    }

    /// Swaps in `snapshot` and its status. Requests in flight keep the snapshot that they loaded.
    pub(super) fn swap(&self, snapshot: Snapshot, status: Arc<ConfigStatus>) {
        self.server.store(Arc::clone(&snapshot.server));
        self.current.store(Arc::new(Current {
            snapshot: Some(Arc::new(snapshot)),
            status,
        }));
    }

    /// Replaces the status and keeps the snapshot.
    pub(super) fn set_status(&self, status: ConfigStatus) {
        let status = Arc::new(status);
        self.current.rcu(|current| Current {
            snapshot: current.snapshot.clone(),
            status: Arc::clone(&status),
        });
    }

    /// Removes the snapshot. The last request that holds it drops it.
    #[must_use]
    pub fn take(&self) -> Option<Arc<Snapshot>> {
        let before = self.current.rcu(|current| Current {
            snapshot: None,
            status: Arc::clone(&current.status),
        });
        before.snapshot.clone()
    }
}
