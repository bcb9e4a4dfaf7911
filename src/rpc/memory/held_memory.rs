//! The memory of one request that has arrived, until its answer has left.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::request_memory::{MemoryRefusal, Payer, RequestMemory};

/// The memory of one request. Clones stand for the same memory, which the last drop gives back.
#[derive(Clone)]
pub(in crate::rpc) struct HeldMemory(Arc<HeldBytes>);

struct HeldBytes {
    memory: Arc<RequestMemory>,
    payer: Payer,
    bytes: AtomicUsize,
}

impl HeldMemory {
    /// A request of `payer` without memory.
    pub(in crate::rpc) fn new(memory: &Arc<RequestMemory>, payer: Payer) -> Self {
        Self(Arc::new(HeldBytes {
            memory: Arc::clone(memory),
            payer,
            bytes: AtomicUsize::new(0),
        }))
    }

    /// Adds `bytes` to the memory.
    ///
    /// # Errors
    /// The payer holds its share of the memory.
    pub(in crate::rpc) fn grow(&self, bytes: usize) -> Result<(), MemoryRefusal> {
        let held = self.0.bytes.load(Relaxed);
        self.0.memory.try_hold(self.0.payer, held, bytes)?;
        self.0.bytes.fetch_add(bytes, Relaxed);
        Ok(())
    }

    /// A request of the same payer, without memory.
    pub(in crate::rpc) fn sibling(&self) -> Self {
        Self::new(&self.0.memory, self.0.payer)
    }

    /// The same bytes, which keep this memory counted until their last owner drops them.
    pub(in crate::rpc) fn attach(&self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(CountedBytes {
            bytes,
            _memory: self.clone(),
        })
    }
}

impl std::fmt::Debug for HeldMemory {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("HeldMemory")
            .field("payer", &self.0.payer)
            .field("bytes", &self.0.bytes)
            .finish_non_exhaustive()
    }
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        self.memory.release_held(self.payer, *self.bytes.get_mut());
    }
}

struct CountedBytes {
    bytes: Bytes,
    _memory: HeldMemory,
}

impl AsRef<[u8]> for CountedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The memory of the message of a stream that the handler received last. The handler of a stream
/// takes it, and keeps it until the message is answered.
#[derive(Clone, Default, Debug)]
pub(in crate::rpc) struct LastMessageMemory(Arc<Mutex<Option<HeldMemory>>>);

impl LastMessageMemory {
    /// Replaces the memory. That of the message before ends, if the handler has not taken it.
    pub(in crate::rpc) fn replace(&self, memory: HeldMemory) {
        let before = self.lock().replace(memory);
        drop(before);
    }

    /// Takes the memory.
    pub(in crate::rpc) fn take(&self) -> Option<HeldMemory> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<HeldMemory>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
