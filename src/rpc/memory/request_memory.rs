//! The one budget of bytes for the requests of the process.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;

use super::half_sent_buffer::HalfSentBuffer;
use super::half_sent_pool::{EntryId, HalfSentPool};
use super::held_pool::HeldPool;
use crate::call::Caller;
use crate::live::CurrentSnapshot;

/// One of this many parts of the memory is for callers without a credential, where the server asks
/// for one. The rest is not available to them.
const STRANGERS_PART: usize = 8;

/// The caller by whom memory is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rpc) struct Payer {
    pub(in crate::rpc) caller: Caller,
    /// Whether the caller has shown no credential although the server asks for one.
    pub(in crate::rpc) is_stranger: bool,
}

/// The memory for a request is refused. The texts reach the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(in crate::rpc) enum MemoryRefusal {
    /// The caller holds its share already.
    #[error(
        "the memory for requests is full (server.request_memory_bytes), and this caller holds its share: send fewer or \
         smaller requests at a time"
    )]
    ShareHeld,
    /// The request did not arrive completely before its memory was needed.
    #[error(
        "the memory for requests is full (server.request_memory_bytes), and this request had not arrived completely: \
         send it again"
    )]
    PushedOut,
}

/// The memory of requests now, and what was refused since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryUsage {
    /// `server.request_memory_bytes`.
    pub limit_bytes: usize,
    /// Bytes of requests that have not arrived completely.
    pub half_sent_bytes: usize,
    /// Bytes of requests that have arrived and are not answered, with their answers.
    pub held_bytes: usize,
    /// Requests that were refused because their caller held its share.
    pub refused: u64,
    /// Requests that ended because they had not arrived completely when memory was needed.
    pub evicted: u64,
}

/// The memory of the requests of one server.
#[derive(Default)]
pub struct RequestMemory {
    /// The live settings, which hold the limit. `None` in tests: no limit.
    live: Option<Arc<CurrentSnapshot>>,
    pools: Mutex<Pools>,
    refused: AtomicU64,
    evicted: AtomicU64,
}

#[derive(Default)]
struct Pools {
    callers: GroupPools,
    strangers: GroupPools,
}

#[derive(Default)]
struct GroupPools {
    half_sent: HalfSentPool<Arc<HalfSentBuffer>>,
    held: HeldPool,
}

impl Pools {
    fn of(&mut self, payer: Payer) -> &mut GroupPools {
        match payer.is_stranger {
            true => &mut self.strangers,
            false => &mut self.callers,
        }
    }
}

impl RequestMemory {
    /// The memory of a server whose settings are `live`.
    #[must_use]
    pub fn new(live: Arc<CurrentSnapshot>) -> Self {
        Self {
            live: Some(live),
            ..Self::default()
        }
    }

    /// The memory in use.
    #[must_use]
    pub fn usage(&self) -> MemoryUsage {
        let limit_bytes = self.limit();
        let pools = self.lock();
        MemoryUsage {
            limit_bytes,
            half_sent_bytes: pools.callers.half_sent.bytes() + pools.strangers.half_sent.bytes(),
            held_bytes: pools.callers.held.bytes() + pools.strangers.held.bytes(),
            refused: self.refused.load(Relaxed),
            evicted: self.evicted.load(Relaxed),
        }
    }

    /// Adds a half-sent request without bytes.
    pub(super) fn insert_half_sent(&self, payer: Payer, buffer: &Arc<HalfSentBuffer>) -> EntryId {
        let mut pools = self.lock();
        let pool = &mut pools.of(payer).half_sent;
        pool.insert(payer.caller, Arc::clone(buffer))
    }

    /// Gives a half-sent request `bytes` more. Other half-sent requests may end for it.
    pub(super) fn grow_half_sent(&self, payer: Payer, id: EntryId, bytes: usize) -> Result<(), MemoryRefusal> {
        let limit = self.half_limit(payer);
        let growth = self.lock().of(payer).half_sent.grow(id, bytes, limit);
        let ended = growth.evicted.len() + usize::from(!growth.is_admitted);
        self.evicted
            .fetch_add(u64::try_from(ended).unwrap_or(u64::MAX), Relaxed);
        // The pools are not locked here: a buffer has a lock of its own.
        growth.evicted.iter().for_each(|buffer| buffer.evict());
        match growth.is_admitted {
            true => Ok(()),
            false => Err(MemoryRefusal::PushedOut),
        }
    }

    /// Takes back the memory of a half-sent request.
    pub(super) fn remove_half_sent(&self, payer: Payer, id: EntryId) {
        // The buffer that the pool returns is dropped after the lock.
        let removed = self.lock().of(payer).half_sent.remove(id);
        drop(removed);
    }

    /// Gives a request that has arrived, and holds `held`, `bytes` more.
    pub(super) fn try_hold(&self, payer: Payer, held: usize, bytes: usize) -> Result<(), MemoryRefusal> {
        let limit = self.half_limit(payer);
        if self.lock().of(payer).held.try_hold(payer.caller, held, bytes, limit) {
            return Ok(());
        }
        self.refused.fetch_add(1, Relaxed);
        Err(MemoryRefusal::ShareHeld)
    }

    /// Takes back the memory of a request that has arrived.
    pub(super) fn release_held(&self, payer: Payer, bytes: usize) {
        self.lock().of(payer).held.release(payer.caller, bytes);
    }

    /// `server.request_memory_bytes`.
    pub(in crate::rpc) fn limit(&self) -> usize {
        let live = self.live.as_ref();
        live.map_or(usize::MAX, |live| live.server().request_memory_bytes)
    }

    /// The limit of the half-sent requests, and of the others, of the group of `payer`.
    fn half_limit(&self, payer: Payer) -> usize {
        let half = self.limit() / 2;
        let strangers = half / STRANGERS_PART;
        match payer.is_stranger {
            true => strangers,
            false => half - strangers,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pools> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
