//! The body of a request, which must come in time.
//!
//! A timer is made only when the next bytes are not there yet: a request that comes in one piece costs none.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Sleep;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::framing::Framing;
use crate::rpc::common::status;

/// What must come in time.
pub(super) enum Due {
    /// The whole request.
    Request,
    /// Each message that has begun; and the stream ends when its connection is to be closed.
    Messages {
        framing: Framing,
        closing: Pin<Box<WaitForCancellationFutureOwned>>,
    },
}

/// A request on its way in.
pub(super) struct Received {
    body: Incoming,
    due: Due,
    /// From the moment on which it was waited for.
    within: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

type Failure = Box<dyn Error + Send + Sync>;

impl Received {
    pub(super) fn new(body: Incoming, due: Due, within: Duration) -> Self {
        Self {
            body,
            due,
            within,
            timer: None,
        }
    }

    /// Nothing has come: for how long may that go on?
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        if let Due::Messages { framing, .. } = &self.due
            && !framing.is_within()
        {
            // Between its messages a stream may be silent for as long as it likes.
            return Poll::Pending;
        }
        let within = self.within;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(within)));
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Some(Err(status::not_received(within).into())))
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let received = &mut *self;
        if let Due::Messages { closing, .. } = &mut received.due
            && closing.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Some(Err(status::closing().into())));
        }
        let Poll::Ready(frame) = Pin::new(&mut received.body).poll_frame(context) else {
            return received.wait(context);
        };
        if let (Due::Messages { framing, .. }, Some(Ok(frame))) = (&mut received.due, &frame)
            && frame.data_ref().is_some_and(|data| framing.take(data))
        {
            received.timer = None;
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
