//! The body of a response. It records when the peer reads it, and counts its memory until then.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::Status;
use tonic::codegen::http::HeaderMap;

use super::open_request::OpenRequest;
use super::open_streams::OpenStream;
use crate::rpc::common::status;
use crate::rpc::memory::HeldMemory;

/// A response body that reports whether it waits for the peer. An endless body ends with its
/// connection.
pub(super) struct ResponseBody {
    body: tonic::body::Body,
    request: OpenRequest,
    /// `None` for a response that no handler made.
    answer: Option<Answer>,
    /// The memory of the frame that the peer reads now.
    frame: Option<HeldMemory>,
    has_ended: bool,
}

/// What an answer needs until the peer has read it.
pub(super) struct Answer {
    /// The memory of the request and its answer.
    pub(super) held: HeldMemory,
    /// Completes when the connection is to close. Set for an endless body only.
    pub(super) closing: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// The place among the streams that no model works for.
    pub(super) _stream: Option<OpenStream>,
}

impl ResponseBody {
    pub(super) fn new(body: tonic::body::Body, mut request: OpenRequest, answer: Option<Answer>) -> Self {
        request.part_available();
        Self {
            body,
            request,
            answer,
            frame: None,
            has_ended: false,
        }
    }

    /// The last frame of an endless body, once its connection is to close.
    fn poll_closing(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(closing) = self.answer.as_mut().and_then(|answer| answer.closing.as_mut()) else {
            return Poll::Pending;
        };
        ready!(closing.as_mut().poll(context));
        Poll::Ready(Some(self.end(&status::connection_closing())))
    }

    /// Counts the memory of `frame` instead of that of the frame before, which the peer has read.
    fn count_memory(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, Status> {
        let (Some(answer), Some(data)) = (&self.answer, frame.data_ref()) else {
            return Ok(frame);
        };
        self.frame = None;
        let memory = answer.held.sibling();
        match memory.grow(data.len()) {
            Ok(()) => {
                self.frame = Some(memory);
                Ok(frame)
            }
            Err(refusal) => self.end(&status::request_memory_refused(refusal)),
        }
    }

    /// The last frame of a body that ends with `status`.
    fn end(&mut self, status: &Status) -> Result<Frame<Bytes>, Status> {
        self.has_ended = true;
        let mut trailers = HeaderMap::new();
        status.add_header(&mut trailers).map(|()| Frame::trailers(trailers))
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
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(response.count_memory(frame))),
            ended => ended,
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
