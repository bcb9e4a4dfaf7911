//! The body of a request of one message.
//!
//! The handler receives nothing before the request is complete. Until then its memory is that of a
//! half-sent request, and can be taken for other callers.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame};

use super::compressed_message::Unpacking;
use super::message_collector::{MessageCollector, TakenMessage};
use super::request_arrival::{BodyError, RequestArrival};
use crate::rpc::common::status;
use crate::rpc::memory::HeldMemory;

/// The body of a request of one message. It fails if the message does not arrive in time, is too
/// long, or finds no memory.
pub(super) struct RequestBody {
    arrival: RequestArrival,
    collector: MessageCollector,
    /// The memory of the request once it is complete.
    held: HeldMemory,
    /// The complete message, if it is compressed.
    unpacking: Option<Unpacking>,
    has_ended: bool,
}

impl RequestBody {
    pub(super) fn new(arrival: RequestArrival, collector: MessageCollector, held: HeldMemory) -> Self {
        Self {
            arrival,
            collector,
            held,
            unpacking: None,
            has_ended: false,
        }
    }

    /// The message, once the request has ended. `None` if it has no message.
    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if let Some(unpacking) = &mut self.unpacking {
            let message = ready!(unpacking.as_mut().poll(context));
            return Poll::Ready(Some(message.map_err(Into::into)));
        }
        loop {
            let half_sent = self.collector.half_sent();
            let Some(data) = ready!(self.arrival.poll_data(context, true, half_sent)) else {
                break;
            };
            let mut data = data?;
            let has_ended = self.arrival.has_ended();
            let is_complete = self.collector.collect(&mut data, has_ended)?;
            if is_complete && !data.is_empty() {
                return Poll::Ready(Some(Err(status::second_message().into())));
            }
            if has_ended {
                break;
            }
        }
        if self.collector.is_complete() {
            let message = match self.collector.take(&self.held) {
                Ok(TakenMessage::Plain(message)) => Ok(message),
                Ok(TakenMessage::Compressed(compressed)) if compressed.is_short() => compressed.unpack(|| false),
                Ok(TakenMessage::Compressed(compressed)) => {
                    let unpacking = self.unpacking.insert(compressed.unpack_in_turn());
                    ready!(unpacking.as_mut().poll(context))
                }
                Err(refusal) => Err(refusal),
            };
            return Poll::Ready(Some(message.map_err(Into::into)));
        }
        if self.collector.is_within_message() {
            return Poll::Ready(Some(Err(status::message_incomplete().into())));
        }
        Poll::Ready(None)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let message = ready!(self.poll_message(context));
        self.has_ended = true;
        Poll::Ready(message.map(|message| message.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.has_ended
    }
}
