//! Counts connections and their outcomes for metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::connection_table::RefusalReason;
use super::eviction::ConnectionStage;

/// Connection counts since the start. TCP and the Unix socket count together.
#[derive(Debug, Default)]
pub struct ConnectionCounts {
    pub(super) accepted: AtomicU64,
    pub(super) refused_all_busy: AtomicU64,
    pub(super) refused_peer_limit: AtomicU64,
    pub(super) evicted_pending: AtomicU64,
    pub(super) evicted_idle: AtomicU64,
    pub(super) failed_handshakes: AtomicU64,
    pub(super) aborted: AtomicU64,
    pub(super) closed: AtomicU64,
    pub(super) unauthenticated: AtomicU64,
    pub(super) frame_floods: AtomicU64,
    pub(super) reset_floods: AtomicU64,
    pub(super) protocol_errors: AtomicU64,
    pub(super) begun_resets: AtomicU64,
    pub(super) unbegun_resets: AtomicU64,
}

impl ConnectionCounts {
    /// Connections that were accepted.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Relaxed)
    }

    /// Connections that were closed at once because `server.max_connections` were open, each with a
    /// request in progress.
    #[must_use]
    pub fn refused_all_busy(&self) -> u64 {
        self.refused_all_busy.load(Relaxed)
    }

    /// Connections that were closed at once because their address held its share of the
    /// connections, each with a request in progress.
    #[must_use]
    pub fn refused_peer_limit(&self) -> u64 {
        self.refused_peer_limit.load(Relaxed)
    }

    /// Connections without a client certificate or an accepted request that were closed because
    /// another one needed the slot.
    #[must_use]
    pub fn evicted_pending(&self) -> u64 {
        self.evicted_pending.load(Relaxed)
    }

    /// Idle connections that were closed because another one needed the slot.
    #[must_use]
    pub fn evicted_idle(&self) -> u64 {
        self.evicted_idle.load(Relaxed)
    }

    pub(super) fn record_eviction(&self, stage: ConnectionStage) {
        let counter = match stage {
            ConnectionStage::Pending => &self.evicted_pending,
            ConnectionStage::Idle | ConnectionStage::Busy => &self.evicted_idle,
        };
        counter.fetch_add(1, Relaxed);
    }

    pub(super) fn record_refusal(&self, reason: RefusalReason) {
        let counter = match reason {
            RefusalReason::AllBusy => &self.refused_all_busy,
            RefusalReason::PeerLimit => &self.refused_peer_limit,
        };
        counter.fetch_add(1, Relaxed);
    }

    /// Connections that were closed because the TLS handshake failed.
    #[must_use]
    pub fn failed_handshakes(&self) -> u64 {
        self.failed_handshakes.load(Relaxed)
    }

    /// Connections that the server closed without the peer's cooperation: the peer was silent,
    /// stayed beyond the grace period, or read no responses.
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

    /// Connections that the server ended because of too many frames that cost it more than their
    /// sender. Resets have a count of their own.
    #[must_use]
    pub fn frame_floods(&self) -> u64 {
        self.frame_floods.load(Relaxed)
    }

    /// Connections that the server ended because of too many requests that were reset before it
    /// could begin them.
    #[must_use]
    pub fn reset_floods(&self) -> u64 {
        self.reset_floods.load(Relaxed)
    }

    /// Connections whose peer broke the HTTP/2 protocol.
    #[must_use]
    pub fn protocol_errors(&self) -> u64 {
        self.protocol_errors.load(Relaxed)
    }

    /// Requests that their caller reset after the server had begun them.
    #[must_use]
    pub fn begun_resets(&self) -> u64 {
        self.begun_resets.load(Relaxed)
    }

    /// Requests that their caller reset before the server could begin them.
    #[must_use]
    pub fn unbegun_resets(&self) -> u64 {
        self.unbegun_resets.load(Relaxed)
    }
}
