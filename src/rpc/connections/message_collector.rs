//! Collects the bytes of the messages of a request, and counts their memory.
//!
//! The memory grows as bytes arrive. The length that a message declares reserves nothing.

use bytes::{Buf as _, Bytes};
use tonic::Status;

use super::compressed_message::CompressedMessage;
use super::message_memory::MessageMemory;
use super::method_descriptors::RequestLimits;
use crate::rpc::common::status;
use crate::rpc::compression::{MessageEncoding, PREFIX_BYTES};
use crate::rpc::memory::{HalfSentRequest, HeldMemory};

/// The first byte of the prefix of a message that is not compressed.
const NOT_COMPRESSED: u8 = 0;
/// The first byte of the prefix of a compressed message.
const COMPRESSED: u8 = 1;

/// A message that was taken from a collector.
pub(super) enum TakenMessage {
    /// A message that is not compressed, or is refused by its prefix.
    Plain(Bytes),
    /// A compressed message.
    Compressed(CompressedMessage),
}

/// Collects one message after the other.
pub(super) struct MessageCollector {
    context: MessageMemory,
    prefix: [u8; PREFIX_BYTES],
    prefix_received: usize,
    /// The bytes of the message that have not arrived, once its prefix has.
    remaining: usize,
    /// The received part of a message, or of a whole request that is not complete.
    half_sent: Option<HalfSentRequest>,
    /// A message that arrived in one piece.
    whole: Option<Vec<u8>>,
}

impl MessageCollector {
    /// A collector whose request has the memory `half_sent` until it is complete.
    pub(super) fn new(context: MessageMemory, half_sent: Option<HalfSentRequest>) -> Self {
        Self {
            context,
            prefix: [0; PREFIX_BYTES],
            prefix_received: 0,
            remaining: 0,
            half_sent,
            whole: None,
        }
    }

    /// Takes bytes from `data` up to the end of a message. Returns whether a message is complete.
    /// With `is_held`, the caller takes it at once.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED if the message is too long, or if its memory is needed for others.
    pub(super) fn collect(&mut self, data: &mut Bytes, is_held: bool) -> Result<bool, Status> {
        if self.is_complete() {
            if self.is_refused_by_prefix() {
                data.clear();
            }
            return Ok(true);
        }
        if self.prefix_received < PREFIX_BYTES {
            while let Some(slot) = self
                .prefix
                .get_mut(self.prefix_received)
                .filter(|_| data.has_remaining())
            {
                *slot = data.get_u8();
                self.prefix_received += 1;
            }
            if self.prefix_received < PREFIX_BYTES {
                return Ok(false);
            }
            let [_, length @ ..] = self.prefix;
            let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
            if self.is_refused_by_prefix() {
                // tonic refuses the message without its content.
                self.whole = Some(self.prefix.to_vec());
                data.clear();
                return Ok(true);
            }
            let RequestLimits {
                message_bytes, setting, ..
            } = self.context.limits;
            if length > message_bytes {
                return Err(status::message_too_long(length, message_bytes, setting));
            }
            if is_held && data.len() >= length {
                let mut message = Vec::with_capacity(PREFIX_BYTES + length);
                message.extend_from_slice(&self.prefix);
                message.extend_from_slice(&data.split_to(length));
                self.whole = Some(message);
                return Ok(true);
            }
            self.remaining = length;
            let prefix = self.prefix;
            self.append(&prefix)?;
        }
        let data = data.split_to(self.remaining.min(data.len()));
        self.append(&data)?;
        self.remaining -= data.len();
        Ok(self.remaining == 0)
    }

    /// Whether a message is complete.
    pub(super) fn is_complete(&self) -> bool {
        self.whole.is_some() || self.prefix_received == PREFIX_BYTES && self.remaining == 0
    }

    /// Whether a message has begun and was not taken.
    pub(super) fn is_within_message(&self) -> bool {
        self.prefix_received > 0
    }

    /// The memory of what has arrived so far.
    pub(super) fn half_sent(&self) -> Option<&HalfSentRequest> {
        self.half_sent.as_ref()
    }

    /// Takes the complete message. Its memory becomes a part of `held`.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED if the caller holds its share of the memory.
    pub(super) fn take(&mut self, held: &HeldMemory) -> Result<TakenMessage, Status> {
        let half_sent = self.half_sent.take();
        let message = match (self.whole.take(), &half_sent) {
            (Some(message), _) => message,
            (None, Some(half_sent)) => half_sent.take().map_err(status::request_memory_refused)?,
            (None, None) => Vec::new(),
        };
        self.prefix_received = 0;
        let is_plain = self.is_refused_by_prefix() || self.flag() == NOT_COMPRESSED;
        let taken = if is_plain {
            self.context.hold(&message, held)?;
            TakenMessage::Plain(message.into())
        } else {
            let compressed = CompressedMessage::new(self.context.clone(), message, held.clone())?;
            TakenMessage::Compressed(compressed)
        };
        // The half-sent memory ends only now, so that the message is always counted.
        drop(half_sent);
        Ok(taken)
    }

    /// Whether the prefix alone makes the message invalid: it is compressed and the request declares no
    /// compression, or its flag is unknown.
    fn is_refused_by_prefix(&self) -> bool {
        match self.flag() {
            NOT_COMPRESSED => false,
            COMPRESSED => self.context.encoding == MessageEncoding::Identity,
            _ => true,
        }
    }

    /// The first byte of the prefix.
    fn flag(&self) -> u8 {
        let [flag, ..] = self.prefix;
        flag
    }

    fn append(&mut self, data: &[u8]) -> Result<(), Status> {
        let MessageMemory { memory, payer, .. } = &self.context;
        let half_sent = match self.half_sent.take() {
            Some(half_sent) => half_sent,
            None => HalfSentRequest::begin(memory, *payer, 0).map_err(status::request_memory_refused)?,
        };
        let appended = half_sent.append(data, self.remaining.saturating_add(PREFIX_BYTES));
        self.half_sent = Some(half_sent);
        appended.map_err(status::request_memory_refused)
    }
}
