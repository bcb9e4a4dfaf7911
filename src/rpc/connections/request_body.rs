//! The body of a request, with a limit on the time it takes to arrive.
//!
//! A timer starts only when the body has to wait for bytes. A request that arrives in one piece
//! needs no timer.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::message_framing::MessageFraming;
use super::open_request::ArrivingBody;
use super::received_body::ReceivedBody;
use crate::rpc::common::status;

/// The part of a request that the timeout applies to.
pub(super) enum TimeoutScope {
    /// The whole request.
    WholeRequest,
    /// Each message that has begun. The stream also ends when its connection is to close.
    EachMessage {
        framing: MessageFraming,
        closing: Pin<Box<WaitForCancellationFutureOwned>>,
    },
}

/// A request body that fails if it does not arrive in time.
pub(super) struct RequestBody {
    body: ReceivedBody,
    /// `None` once the body has arrived whole.
    arriving: Option<ArrivingBody>,
    scope: TimeoutScope,
    /// The time allowed from the first wait for bytes.
    timeout: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

type BodyError = Box<dyn Error + Send + Sync>;

impl RequestBody {
    pub(super) fn new(body: ReceivedBody, arriving: ArrivingBody, scope: TimeoutScope, timeout: Duration) -> Self {
        Self {
            arriving: (!body.is_end_stream()).then_some(arriving),
            body,
            scope,
            timeout,
            timer: None,
        }
    }

    /// Polls the timer while no bytes are available.
    fn poll_timeout(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let TimeoutScope::EachMessage { framing, .. } = &self.scope
            && !framing.is_within_message()
        {
            // A stream may be silent between its messages without limit.
            return Poll::Pending;
        }
        let timeout = self.timeout;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Some(Err(status::request_body_timeout(timeout).into())))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let request = &mut *self;
        if let TimeoutScope::EachMessage { closing, .. } = &mut request.scope
            && closing.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Some(Err(status::connection_closing().into())));
        }
        let Poll::Ready(frame) = Pin::new(&mut request.body).poll_frame(context) else {
            return request.poll_timeout(context);
        };
        if frame.is_none() || request.body.is_end_stream() {
            request.arriving = None;
        }
        if let (TimeoutScope::EachMessage { framing, .. }, Some(Ok(frame))) = (&mut request.scope, &frame)
            && frame.data_ref().is_some_and(|data| framing.advance(data))
        {
            request.timer = None;
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
