//! The slots that connections hold, and the signals that take a slot away.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::activity::ConnectionActivity;
use super::connection_table::{
    Admission, ConnectionTable, Eviction, EvictionMode, ObservableConnection, RefusalReason, TableLimits,
};
use super::counts::ConnectionCounts;
use super::eviction::{ConnectionStage, ConnectionView};
use super::lifetime::handshake_timeout;
use crate::call::Principal;
use crate::domain::LogThrottle;

/// The slots of one listener.
pub(super) struct ConnectionSlots {
    table: Mutex<ConnectionTable<Arc<SlotState>>>,
    counts: Arc<ConnectionCounts>,
    /// The open connections, which the deadlines of all of them depend on.
    open: AtomicUsize,
    evictions: Mutex<LogThrottle>,
}

/// A connection in the table.
struct SlotState {
    address: Principal,
    activity: Arc<ConnectionActivity>,
    /// Cancelled to ask the peer to close.
    evicted: CancellationToken,
    /// Cancelled to close the connection now.
    aborted: CancellationToken,
}

impl ObservableConnection for Arc<SlotState> {
    fn view(&self, now: Instant) -> ConnectionView {
        let (stage, peer) = self.activity.stage();
        ConnectionView {
            peer: peer.unwrap_or(self.address),
            stage,
            quiet_for: match stage {
                ConnectionStage::Pending => now.saturating_duration_since(self.activity.accepted_at()),
                ConnectionStage::Idle | ConnectionStage::Busy => self.activity.quiet_for(now),
            },
        }
    }
}

impl ConnectionSlots {
    pub(super) fn new(counts: Arc<ConnectionCounts>) -> Arc<Self> {
        Arc::new(Self {
            table: Mutex::default(),
            counts,
            open: AtomicUsize::new(0),
            evictions: Mutex::default(),
        })
    }

    /// A slot for a new connection from `address`. If there is none, the connection that deserves
    /// its slot least is evicted.
    ///
    /// # Errors
    /// No connection can be evicted.
    pub(super) fn admit(
        self: &Arc<Self>,
        address: Principal,
        now: Instant,
        limits: &TableLimits,
    ) -> Result<ConnectionSlot, RefusalReason> {
        let state = Arc::new(SlotState {
            address,
            activity: Arc::new(ConnectionActivity::new(now)),
            evicted: CancellationToken::new(),
            aborted: CancellationToken::new(),
        });
        let mut table = self.lock();
        let (number, eviction) = match table.admit(address, Arc::clone(&state), now, limits) {
            Admission::Accepted(number, eviction) => (number, eviction),
            Admission::Refused(reason) => return Err(reason),
        };
        self.open.store(table.open(), Relaxed);
        drop(table);
        self.counts.accepted.fetch_add(1, Relaxed);
        if let Some(eviction) = eviction {
            self.end(&eviction, now);
        }
        Ok(ConnectionSlot {
            state,
            number,
            slots: Arc::clone(self),
        })
    }

    /// Evicts a connection, because the process has no file descriptor for the next one. Returns
    /// false if no connection can be evicted.
    pub(super) fn evict(&self, now: Instant, limits: &TableLimits) -> bool {
        let eviction = self.lock().evict(now, limits);
        let Some(mut eviction) = eviction else {
            return false;
        };
        // A graceful close would hold the descriptor.
        eviction.mode = EvictionMode::Immediate;
        self.end(&eviction, now);
        true
    }

    fn end(&self, eviction: &Eviction<Arc<SlotState>>, now: Instant) {
        let Eviction {
            connection,
            stage,
            mode,
        } = eviction;
        self.counts.record_eviction(*stage);
        match mode {
            EvictionMode::Graceful => connection.evicted.cancel(),
            EvictionMode::Immediate => connection.aborted.cancel(),
        }
        let mut throttle = self.evictions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = throttle.record(now) {
            let (peer, quiet_for) = (connection.address, connection.view(now).quiet_for);
            tracing::warn!(
                %peer,
                %stage,
                ?quiet_for,
                count,
                "connections were closed because others needed their slots (count: since the last such line)"
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, ConnectionTable<Arc<SlotState>>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The slot of one connection. Dropping it frees the slot.
pub(in crate::rpc) struct ConnectionSlot {
    state: Arc<SlotState>,
    number: u64,
    slots: Arc<ConnectionSlots>,
}

impl ConnectionSlot {
    pub(super) fn activity(&self) -> &Arc<ConnectionActivity> {
        &self.state.activity
    }

    /// The host of the peer, or its user on the Unix socket.
    pub(super) fn address(&self) -> Principal {
        self.state.address
    }

    /// Completes when the peer must be asked to close.
    pub(super) async fn evicted(&self) {
        self.state.evicted.cancelled().await;
    }

    /// Completes when the connection must be closed now.
    pub(super) async fn aborted(&self) {
        self.state.aborted.cancelled().await;
    }

    /// The time that a handshake may take now: `configured` while half of the `max_connections`
    /// slots are free, and less as they run out.
    pub(super) fn handshake_timeout(&self, configured: Duration, max_connections: usize) -> Duration {
        handshake_timeout(configured, self.slots.open.load(Relaxed), max_connections)
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut table = self.slots.lock();
        table.remove(self.number);
        self.slots.open.store(table.open(), Relaxed);
        drop(table);
        self.slots.counts.closed.fetch_add(1, Relaxed);
    }
}
