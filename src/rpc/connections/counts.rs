//! Counts connections and their outcomes for metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Connection counts since the start. TCP and the Unix socket count together.
#[derive(Debug, Default)]
pub struct ConnectionCounts {
    pub(super) accepted: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) failed_handshakes: AtomicU64,
    pub(super) aborted: AtomicU64,
    pub(super) closed: AtomicU64,
    pub(super) unauthenticated: AtomicU64,
}

impl ConnectionCounts {
    /// Connections that were accepted.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Relaxed)
    }

    /// Connections that were closed at once because `server.max_connections` were open.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Connections that were closed because the TLS handshake failed.
    #[must_use]
    pub fn failed_handshakes(&self) -> u64 {
        self.failed_handshakes.load(Relaxed)
    }

    /// Connections that the server closed without the peer's cooperation: the peer was silent, stayed
    /// beyond the grace period, or read no responses.
    #[must_use]
    pub fn aborted(&self) -> u64 {
        self.aborted.load(Relaxed)
    }

    /// Connections that are open now.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.accepted().saturating_sub(self.closed.load(Relaxed))
    }

    /// Requests without a valid token.
    #[must_use]
    pub fn unauthenticated(&self) -> u64 {
        self.unauthenticated.load(Relaxed)
    }
}
