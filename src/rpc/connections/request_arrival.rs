//! The arrival of a request: its bytes, and the limit on the time that they take.
//!
//! A timer starts only when the request has to wait for bytes. A request that arrives in one piece
//! needs no timer.

use std::error::Error;
use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body as _;
use tokio::time::Sleep;

use super::open_request::ArrivingBody;
use super::received_body::ReceivedBody;
use crate::rpc::common::status;
use crate::rpc::memory::HalfSentRequest;

pub(super) type BodyError = Box<dyn Error + Send + Sync>;

/// The bytes of a request as they arrive.
pub(super) struct RequestArrival {
    body: ReceivedBody,
    /// `None` once the body has arrived whole.
    arriving: Option<ArrivingBody>,
    /// The time allowed from the first wait for bytes.
    timeout: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl RequestArrival {
    pub(super) fn new(body: ReceivedBody, arriving: ArrivingBody, timeout: Duration) -> Self {
        Self {
            arriving: (!body.is_end_stream()).then_some(arriving),
            body,
            timeout,
            timer: None,
        }
    }

    /// The next bytes, or `None` at the end. With `is_timed`, the wait for bytes is limited.
    /// `half_sent` is the memory of what has arrived: the arrival ends when it is pushed out.
    pub(super) fn poll_data(
        &mut self,
        context: &mut Context<'_>,
        is_timed: bool,
        half_sent: Option<&HalfSentRequest>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        if let Some(half_sent) = half_sent
            && let Poll::Ready(refusal) = half_sent.poll_evicted(context)
        {
            return Poll::Ready(Some(Err(status::request_memory_refused(refusal).into())));
        }
        loop {
            let polled = Pin::new(&mut self.body).poll_frame(context);
            if matches!(polled, Poll::Ready(None)) || self.body.is_end_stream() {
                self.arriving = None;
            }
            return match polled {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) if data.is_empty() => continue,
                    Ok(data) => Poll::Ready(Some(Ok(data))),
                    // No method of this server reads the trailers of a request.
                    Err(_trailers) => continue,
                },
                Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
                Poll::Ready(None) => Poll::Ready(None),
                Poll::Pending if is_timed => self.poll_timeout(context),
                Poll::Pending => Poll::Pending,
            };
        }
    }

    /// Whether no bytes follow. False if that is not known yet.
    pub(super) fn has_ended(&self) -> bool {
        self.body.is_end_stream()
    }

    /// Starts the time limit again at the next wait for bytes.
    pub(super) fn restart_timer(&mut self) {
        self.timer = None;
    }

    fn poll_timeout(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let timeout = self.timeout;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Some(Err(status::request_body_timeout(timeout).into())))
    }
}
