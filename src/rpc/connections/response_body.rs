//! The body of an answer, seen on its way out.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::Status;
use tonic::codegen::http::HeaderMap;

use super::activity::Open;
use crate::rpc::common::status;

/// An answer, which tells when it waits for the peer, and ends with its connection if it has no end of its own.
pub(super) struct Answer {
    body: tonic::body::Body,
    open: Open,
    /// For an answer without an end: comes when the connection is to be closed.
    closing: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    has_ended: bool,
}

impl Answer {
    pub(super) fn new(
        body: tonic::body::Body,
        mut open: Open,
        closing: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    ) -> Self {
        open.offered();
        Self {
            body,
            open,
            closing,
            has_ended: false,
        }
    }

    /// The last frame of an answer that has no end of its own, once it is time.
    fn end(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(closing) = &mut self.closing else {
            return Poll::Pending;
        };
        ready!(closing.as_mut().poll(context));
        self.has_ended = true;
        let mut trailers = HeaderMap::new();
        let written = status::closing().add_header(&mut trailers);
        Poll::Ready(Some(written.map(|()| Frame::trailers(trailers))))
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let answer = &mut *self;
        if answer.has_ended {
            return Poll::Ready(None);
        }
        let frame = match Pin::new(&mut answer.body).poll_frame(context) {
            // What was to be said before the end is said.
            Poll::Pending => answer.end(context),
            frame => frame,
        };
        // The peer has taken everything before this, or nobody would ask.
        match frame {
            Poll::Ready(_) => answer.open.offered(),
            Poll::Pending => answer.open.taken(),
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.has_ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
