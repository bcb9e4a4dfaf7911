//! The body of a request as it arrives. It tells a caller that left from the end of a request.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tonic::Status;

use crate::rpc::common::status;

/// Whether the caller of one request left before the request was complete. Clones share the answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Departure(Arc<AtomicBool>);

impl Departure {
    /// Whether the caller left before the request was complete.
    pub(super) fn has_happened(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// A request body whose every failure is the departure of its caller: a reset of the stream, a
/// closed connection, or a violation of HTTP/2.
pub(super) struct ReceivedBody {
    body: Incoming,
    departure: Departure,
}

impl ReceivedBody {
    /// The body, and the departure that it records.
    pub(super) fn new(body: Incoming) -> (Self, Departure) {
        let departure = Departure::default();
        let received = Self {
            body,
            departure: departure.clone(),
        };
        (received, departure)
    }
}

impl Body for ReceivedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let error = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            Some(Ok(frame)) => return Poll::Ready(Some(Ok(frame))),
            // hyper also ends the body without an error after some resets. Only a peer that has
            // ended the stream has sent the whole request.
            None if self.body.is_end_stream() => return Poll::Ready(None),
            None => None,
            Some(Err(error)) => Some(error),
        };
        tracing::debug!(
            error = error.map(tracing::field::display),
            "a caller left within its request"
        );
        self.departure.0.store(true, Relaxed);
        Poll::Ready(Some(Err(status::caller_left())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
