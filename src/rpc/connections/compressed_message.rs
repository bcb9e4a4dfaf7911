//! Unpacks a message that has arrived compressed, and counts its memory as it grows.
//!
//! A short message is unpacked at once. A longer one waits for its turn and is unpacked on a thread
//! for blocking work, so that no other request waits for it on the threads that serve connections.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use tokio::sync::oneshot;
use tonic::Status;

use super::message_memory::{GrowingMemory, MessageMemory};
use crate::rpc::common::status;
use crate::rpc::compression::{PREFIX_BYTES, UnpackError, unpack, unpacked_bytes};
use crate::rpc::memory::HeldMemory;

/// The most bytes that a message may unpack to without a turn: they take some tens of microseconds,
/// about as long as a request costs otherwise.
const SHORT_BYTES: usize = 16 << 10;

/// A message that is being unpacked. A drop ends the work.
pub(super) type Unpacking = Pin<Box<dyn Future<Output = Result<Bytes, Status>> + Send>>;

/// A message that has arrived, compressed.
pub(super) struct CompressedMessage {
    context: MessageMemory,
    /// The message with its prefix.
    packed: Vec<u8>,
    memory: GrowingMemory,
}

impl CompressedMessage {
    /// The compressed message `packed`, with its prefix. Its memory becomes a part of `held`.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED if the caller holds its share of the memory.
    pub(super) fn new(context: MessageMemory, packed: Vec<u8>, held: HeldMemory) -> Result<Self, Status> {
        let mut memory = GrowingMemory::new(held);
        memory
            .count_at_least(context.overhead.saturating_add(packed.len()))
            .map_err(status::request_memory_refused)?;
        Ok(Self {
            context,
            packed,
            memory,
        })
    }

    /// Whether the message needs no turn: it is short, or refused without work.
    pub(super) fn is_short(&self) -> bool {
        let longest = self.context.limits.message_bytes;
        unpacked_bytes(self.content()).is_none_or(|bytes| bytes <= SHORT_BYTES || bytes > longest)
    }

    /// Unpacks the message on this thread. The result has the prefix of an uncompressed message.
    ///
    /// # Errors
    /// INVALID_ARGUMENT if the message is not gzip; RESOURCE_EXHAUSTED if it unpacks to more bytes than
    /// its method accepts, or if the caller holds its share of the memory.
    pub(super) fn unpack(mut self, has_left: impl Fn() -> bool) -> Result<Bytes, Status> {
        let limits = self.context.limits;
        let packed = self.packed.get(PREFIX_BYTES..).unwrap_or_default();
        let (context, memory) = (&self.context, &mut self.memory);
        let grow = |capacity| {
            let unpacked = context.message_bytes(capacity);
            memory.count_at_least(unpacked.saturating_add(self.packed.len()))
        };
        let message = unpack(packed, limits.message_bytes, grow, has_left).map_err(|error| match error {
            UnpackError::TooLong(bytes) => status::message_too_long(bytes, limits.message_bytes, limits.setting),
            UnpackError::Invalid(reason) => status::invalid_gzip(&reason),
            UnpackError::NoMemory(refusal) => status::request_memory_refused(refusal),
            UnpackError::CallerLeft => status::caller_left(),
        })?;
        // The compressed bytes end before the message is decoded.
        self.packed = Vec::new();
        let decoded = self.context.decoded_bytes(&message);
        self.memory
            .count_at_least(decoded)
            .map_err(status::request_memory_refused)?;
        Ok(message.into())
    }

    /// Unpacks the message on a thread for blocking work, once it has its turn.
    pub(super) fn unpack_in_turn(self) -> Unpacking {
        let timeout = self.context.unpack_timeout;
        Box::pin(async move {
            match tokio::time::timeout(timeout, self.wait_and_unpack()).await {
                Ok(unpacked) => unpacked,
                Err(_elapsed) => Err(status::unpack_timeout(timeout)),
            }
        })
    }

    async fn wait_and_unpack(self) -> Result<Bytes, Status> {
        let turn = self
            .context
            .unpack_turns
            .next(self.context.payer.caller.principal)
            .await;
        let (sender, receiver) = oneshot::channel();
        tokio::task::spawn_blocking(move || {
            let unpacked = self.unpack(|| sender.is_closed());
            drop(turn);
            // Fails if the caller has left. The message then ends here.
            let _ = sender.send(unpacked);
        });
        let unpacked = receiver.await;
        unpacked.unwrap_or_else(|_| Err(status::internal("the message could not be unpacked")))
    }

    /// The compressed bytes.
    fn content(&self) -> &[u8] {
        self.packed.get(PREFIX_BYTES..).unwrap_or_default()
    }
}
