//! The slots of the connections to the metrics port.

use std::collections::HashMap;
use std::fs::File;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use tokio::task::{AbortHandle, Id, JoinSet};

use crate::call::Principal;
use crate::rpc::{ConnectionStage, ConnectionView, choose_victim};

/// The most open connections. A further one takes the slot of a slow one.
pub(super) const MAX_CONNECTIONS: usize = 256;
/// The file descriptors that are kept for connections at a time when the process has none left.
const SPARE_FILES: usize = 8;

/// The open connections to the metrics port.
pub(super) struct EndpointSlots {
    tasks: JoinSet<()>,
    connections: HashMap<Id, OpenConnection>,
    /// Closed to free its descriptor. Opened again once there are enough.
    spare_files: Vec<File>,
    evictions: Arc<AtomicU64>,
}

struct OpenConnection {
    peer: Principal,
    accepted_at: Instant,
    progress: ConnectionProgress,
    task: AbortHandle,
}

/// Whether the request of a connection has arrived.
#[derive(Clone, Default)]
pub(super) struct ConnectionProgress(Arc<AtomicBool>);

impl ConnectionProgress {
    pub(super) fn record_request(&self) {
        self.0.store(true, Relaxed);
    }
}

impl EndpointSlots {
    pub(super) fn new() -> Self {
        let mut slots = Self {
            tasks: JoinSet::new(),
            connections: HashMap::new(),
            spare_files: Vec::new(),
            evictions: Arc::default(),
        };
        slots.refill_spare_files();
        slots
    }

    /// The number of connections that lost their slot.
    pub(super) fn evictions(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.evictions)
    }

    /// Completes when a connection has ended.
    pub(super) async fn ended(&mut self) {
        match self.tasks.join_next_with_id().await {
            None => std::future::pending().await,
            Some(Ok((id, ()))) => drop(self.connections.remove(&id)),
            Some(Err(error)) => {
                self.connections.remove(&error.id());
                if error.is_panic() {
                    tracing::error!(%error, "a connection to the metrics port panicked");
                }
            }
        }
        self.refill_spare_files();
    }

    /// Serves a connection from `address`. If no slot is free, the slowest connection loses its own.
    pub(super) fn spawn<F>(&mut self, address: IpAddr, now: Instant, serve: impl FnOnce(ConnectionProgress) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if self.connections.len() >= MAX_CONNECTIONS {
            self.evict(now);
        }
        let progress = ConnectionProgress::default();
        let task = self.tasks.spawn(serve(progress.clone()));
        let connection = OpenConnection {
            peer: Principal::at(address),
            accepted_at: now,
            progress,
            task,
        };
        self.connections.insert(connection.task.id(), connection);
    }

    /// Frees a file descriptor for the next connection. Returns false if there is nothing to close.
    pub(super) fn free_file(&mut self, now: Instant) -> bool {
        self.spare_files.pop().is_some() || self.evict(now)
    }

    fn evict(&mut self, now: Instant) -> bool {
        let ids: Vec<Id> = self.connections.keys().copied().collect();
        let views: Vec<ConnectionView> = self
            .connections
            .values()
            .map(|connection| connection.view(now))
            .collect();
        let victim = choose_victim(&views).and_then(|index| self.connections.remove(ids.get(index)?));
        let Some(victim) = victim else {
            return false;
        };
        victim.task.abort();
        self.evictions.fetch_add(1, Relaxed);
        true
    }

    fn refill_spare_files(&mut self) {
        while self.spare_files.len() < SPARE_FILES {
            match File::open("/dev/null") {
                Ok(file) => self.spare_files.push(file),
                Err(_) => return,
            }
        }
    }
}

impl OpenConnection {
    fn view(&self, now: Instant) -> ConnectionView {
        // A connection whose request has arrived waits for its peer to read the response.
        let has_request = self.progress.0.load(Relaxed);
        ConnectionView {
            peer: self.peer,
            stage: match has_request {
                true => ConnectionStage::Idle,
                false => ConnectionStage::Pending,
            },
            quiet_for: now.saturating_duration_since(self.accepted_at),
        }
    }
}
