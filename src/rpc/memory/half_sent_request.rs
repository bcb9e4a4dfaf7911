//! The bytes of one request that has not arrived completely.

use std::sync::Arc;
use std::task::{Context, Poll};

use super::half_sent_buffer::HalfSentBuffer;
use super::half_sent_pool::EntryId;
use super::request_memory::{MemoryRefusal, Payer, RequestMemory};

/// The first capacity of the buffer of a message that is not shorter.
const FIRST_CAPACITY: usize = 1024;

/// One request that has not arrived completely. A drop frees its memory.
pub(in crate::rpc) struct HalfSentRequest {
    memory: Arc<RequestMemory>,
    payer: Payer,
    id: EntryId,
    buffer: Arc<HalfSentBuffer>,
}

impl HalfSentRequest {
    /// Begins a request of `payer` that costs `bytes` beside its message.
    ///
    /// # Errors
    /// The payer holds more than every other caller, and the memory is full.
    pub(in crate::rpc) fn begin(
        memory: &Arc<RequestMemory>,
        payer: Payer,
        bytes: usize,
    ) -> Result<Self, MemoryRefusal> {
        let buffer = Arc::new(HalfSentBuffer::new());
        let request = Self {
            memory: Arc::clone(memory),
            payer,
            id: memory.insert_half_sent(payer, &buffer),
            buffer,
        };
        memory.grow_half_sent(payer, request.id, bytes)?;
        Ok(request)
    }

    /// Appends `data` to a message that will have at most `longest` bytes more than now. The room
    /// for it grows with what arrives.
    ///
    /// # Errors
    /// The memory is needed for others.
    pub(in crate::rpc) fn append(&self, data: &[u8], longest: usize) -> Result<(), MemoryRefusal> {
        let (length, capacity) = self.with(|bytes| (bytes.len(), bytes.capacity()))?;
        let needed = length.saturating_add(data.len());
        if needed > capacity {
            let doubled = needed.max(capacity.saturating_mul(2)).max(FIRST_CAPACITY);
            let capacity_wanted = doubled.min(length.saturating_add(longest.max(data.len())));
            let more = capacity_wanted - capacity;
            self.memory.grow_half_sent(self.payer, self.id, more)?;
            self.with(|bytes| bytes.reserve_exact(capacity_wanted - length))?;
        }
        self.with(|bytes| bytes.extend_from_slice(data))
    }

    /// Takes the message.
    ///
    /// # Errors
    /// The request was pushed out.
    pub(in crate::rpc) fn take(&self) -> Result<Vec<u8>, MemoryRefusal> {
        self.with(std::mem::take)
    }

    /// Applies `change` to the bytes.
    fn with<R>(&self, change: impl FnOnce(&mut Vec<u8>) -> R) -> Result<R, MemoryRefusal> {
        self.buffer.with(change).ok_or(MemoryRefusal::PushedOut)
    }

    /// Completes when the request is pushed out.
    pub(in crate::rpc) fn poll_evicted(&self, context: &mut Context<'_>) -> Poll<MemoryRefusal> {
        self.buffer.wake_on_eviction(context.waker());
        match self.with(|_| ()) {
            Ok(()) => Poll::Pending,
            Err(refusal) => Poll::Ready(refusal),
        }
    }
}

impl Drop for HalfSentRequest {
    fn drop(&mut self) {
        self.memory.remove_half_sent(self.payer, self.id);
    }
}
