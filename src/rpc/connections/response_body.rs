//! The body of a response. It records when the peer reads it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::Status;
use tonic::codegen::http::HeaderMap;

use super::open_request::OpenRequest;
use crate::rpc::common::status;

/// A response body that reports whether it waits for the peer. An endless body ends with its
/// connection.
pub(super) struct ResponseBody {
    body: tonic::body::Body,
    request: OpenRequest,
    /// Completes when the connection is to close. Set for an endless body only.
    closing: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    has_ended: bool,
}

impl ResponseBody {
    pub(super) fn new(
        body: tonic::body::Body,
        mut request: OpenRequest,
        closing: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    ) -> Self {
        request.part_available();
        Self {
            body,
            request,
            closing,
            has_ended: false,
        }
    }

    /// The last frame of an endless body, once its connection is to close.
    fn poll_closing(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(closing) = &mut self.closing else {
            return Poll::Pending;
        };
        ready!(closing.as_mut().poll(context));
        self.has_ended = true;
        let mut trailers = HeaderMap::new();
        let written = status::connection_closing().add_header(&mut trailers);
        Poll::Ready(Some(written.map(|()| Frame::trailers(trailers))))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let response = &mut *self;
        if response.has_ended {
            return Poll::Ready(None);
        }
        let frame = match Pin::new(&mut response.body).poll_frame(context) {
            // Available frames are sent before the end.
            Poll::Pending => response.poll_closing(context),
            frame => frame,
        };
        // hyper polls for a frame only once the peer has read the earlier ones.
        match frame {
            Poll::Ready(_) => response.request.part_available(),
            Poll::Pending => response.request.all_parts_read(),
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
