//! What became of connections, for metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Connections since the start, by TCP and by the Unix socket together.
#[derive(Debug, Default)]
pub struct ConnectionCounts {
    pub(super) accepted: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) failed_handshakes: AtomicU64,
    pub(super) cut: AtomicU64,
    pub(super) closed: AtomicU64,
    pub(super) unauthenticated: AtomicU64,
}

impl ConnectionCounts {
    /// Let in.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Relaxed)
    }

    /// Closed at once, because there were `server.max_connections` already.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Closed because TLS was not agreed on.
    #[must_use]
    pub fn failed_handshakes(&self) -> u64 {
        self.failed_handshakes.load(Relaxed)
    }

    /// Closed from here without the peer's doing: silent, too old for its grace, or taking no answers.
    #[must_use]
    pub fn cut(&self) -> u64 {
        self.cut.load(Relaxed)
    }

    /// Open now.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.accepted().saturating_sub(self.closed.load(Relaxed))
    }

    /// Requests that showed no token that is known.
    #[must_use]
    pub fn unauthenticated(&self) -> u64 {
        self.unauthenticated.load(Relaxed)
    }
}
