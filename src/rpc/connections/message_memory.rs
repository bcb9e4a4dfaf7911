//! The memory that the messages of one request are counted in, and the limits on them.

use std::sync::Arc;
use std::time::Duration;

use tonic::Status;

use super::method_descriptors::{MethodDescriptors, RequestLimits};
use crate::rpc::common::status;
use crate::rpc::compression::{ConnectionTurns, MessageEncoding, PREFIX_BYTES};
use crate::rpc::memory::{HeldMemory, MemoryRefusal, Payer, RequestMemory};

/// A message that has arrived exists twice for a moment: here, and in tonic's buffer.
const COPIES: usize = 2;

/// The memory that messages are counted in, and the limits on them.
#[derive(Clone)]
pub(super) struct MessageMemory {
    pub(super) memory: Arc<RequestMemory>,
    pub(super) payer: Payer,
    pub(super) methods: Arc<MethodDescriptors>,
    pub(super) limits: RequestLimits,
    /// The bytes that each message costs beside its own.
    pub(super) overhead: usize,
    /// How messages may be compressed.
    pub(super) encoding: MessageEncoding,
    /// The turns in which the connection unpacks messages.
    pub(super) unpack_turns: ConnectionTurns,
    /// The longest time that a message may take to be unpacked, from its last byte on.
    pub(super) unpack_timeout: Duration,
}

impl MessageMemory {
    /// Counts a message that has arrived, with what it becomes when it is decoded.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED if the caller holds its share of the memory.
    pub(super) fn hold(&self, message: &[u8], held: &HeldMemory) -> Result<(), Status> {
        held.grow(self.decoded_bytes(message))
            .map_err(status::request_memory_refused)
    }

    /// The memory of `message`, with its prefix, and of what it becomes when it is decoded.
    pub(super) fn decoded_bytes(&self, message: &[u8]) -> usize {
        let content = message.get(PREFIX_BYTES..).unwrap_or_default();
        let enough = self.memory.limit();
        let decoded = self.methods.decoded_bytes(self.limits, content, enough);
        self.message_bytes(message.len()).saturating_add(decoded)
    }

    /// The memory of a message of `bytes` bytes with its prefix, without what it becomes.
    pub(super) fn message_bytes(&self, bytes: usize) -> usize {
        self.overhead.saturating_add(COPIES.saturating_mul(bytes))
    }
}

/// The memory of one message that grows in steps.
pub(super) struct GrowingMemory {
    held: HeldMemory,
    counted: usize,
}

impl GrowingMemory {
    /// A message that has no memory yet. Its memory becomes a part of `held`.
    pub(super) fn new(held: HeldMemory) -> Self {
        Self { held, counted: 0 }
    }

    /// Counts at least `bytes` from now on.
    ///
    /// # Errors
    /// The caller holds its share of the memory.
    pub(super) fn count_at_least(&mut self, bytes: usize) -> Result<(), MemoryRefusal> {
        let more = bytes.saturating_sub(self.counted);
        self.held.grow(more)?;
        self.counted += more;
        Ok(())
    }
}
