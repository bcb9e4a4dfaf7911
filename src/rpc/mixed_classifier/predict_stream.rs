//! PredictStream: one Predict after the other on one stream, answered in their order.
//!
//! The response stream pulls: it reads a request whenever fewer than the window are under way, and gives each a task of its
//! own, so that a caller who does not read its answers leaves nothing half done in the models' queues. What it then holds
//! up is its own stream: a window of finished answers waits, and no more is read. Dropping the stream ends its tasks.

use std::future::Future;
use std::time::Instant;

use futures_util::future::{Either, FutureExt as _};
use futures_util::stream::{self, Stream, StreamExt as _};
use tokio::task::AbortHandle;
use tonic::{Status, Streaming};

use super::proto::predict_stream_response::Outcome;
use super::proto::{PredictStreamRequest, PredictStreamResponse};
use crate::call::Code;
use crate::domain::Violations;
use crate::rpc::common::call_tracker::{self as call, Call, CallStream};
use crate::rpc::common::classify::{Service, answer_predict};
use crate::rpc::common::{deadline, status, status_correction as early_errors};

type Message = Result<PredictStreamResponse, Status>;

/// What comes next on the way in.
#[expect(
    clippy::large_enum_variant,
    reason = "all but the last are requests: a box for each would cost more"
)]
enum Next {
    Request(PredictStreamRequest, Call),
    /// Nothing more is read; the stream ends with this once all before it is answered.
    End(Status),
}

/// The answers to `requests`, in their order, each a call of `calls`. The stream ends by `deadline`, if it has one.
pub(in crate::rpc) fn answers(
    service: Service,
    calls: CallStream,
    requests: Streaming<PredictStreamRequest>,
    deadline: Option<Instant>,
) -> impl Stream<Item = Message> {
    let window = service.live.server().stream_window;
    incoming(service.clone(), calls, requests, deadline)
        .map(move |next| match next {
            Next::Request(request, call) => Either::Left(begin(service.clone(), request, call, deadline)),
            Next::End(status) => Either::Right(std::future::ready(Err(status))),
        })
        .buffered(window)
}

/// Requests as they come, until the caller has no more, the server stops, or the deadline comes.
fn incoming(
    service: Service,
    calls: CallStream,
    requests: Streaming<PredictStreamRequest>,
    deadline: Option<Instant>,
) -> impl Stream<Item = Next> {
    stream::unfold(Some((service.stop, calls, requests)), move |open| async move {
        let (mut stop, mut calls, mut requests) = open?;
        let next = tokio::select! {
            // What is read must be answered: a server that stops reads no more, however much there is.
            biased;
            () = &mut stop => Next::End(status::stopping()),
            () = until(deadline) => Next::End(status::stream_deadline()),
            message = requests.next() => match message? {
                Ok(request) => Next::Request(request, calls.next()),
                Err(status) => Next::End(unreadable(early_errors::corrected_status(status), &mut calls)),
            },
        };
        let open = matches!(next, Next::Request(..)).then_some((stop, calls, requests));
        Some((next, open))
    })
}

/// What ends a stream whose next request cannot be read. A caller that left has sent none.
fn unreadable(status: Status, calls: &mut CallStream) -> Status {
    if status.code() != tonic::Code::Cancelled {
        calls.next().finish(call::code(&status));
    }
    status
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// Begins to answer one request at once. Dropping what is returned ends that.
fn begin(
    service: Service,
    request: PredictStreamRequest,
    call: Call,
    stream_deadline: Option<Instant>,
) -> impl Future<Output = Message> {
    let mut outcome = Box::pin(outcome(service, request, call, stream_deadline));
    // As far as it goes now, and that is into the queue: requests are admitted in the order in which they came, whichever
    // task runs first. What is refused needs no task.
    if let Some(outcome) = outcome.as_mut().now_or_never() {
        return Either::Left(std::future::ready(message(outcome)));
    }
    let task = tokio::spawn(outcome);
    let ended_with_the_stream = EndOnDrop(task.abort_handle());
    Either::Right(async move {
        let _guard = ended_with_the_stream;
        let outcome = task.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a request of a stream ended without an answer");
            Outcome::Error(status::in_band(&Status::internal(
                "the request ended without an answer",
            )))
        });
        message(outcome)
    })
}

fn message(outcome: Outcome) -> Message {
    Ok(PredictStreamResponse { outcome: Some(outcome) })
}

async fn outcome(
    service: Service,
    request: PredictStreamRequest,
    mut call: Call,
    stream_deadline: Option<Instant>,
) -> Outcome {
    let PredictStreamRequest { request, timeout_us } = request;
    let answer = match (service.snapshot(), request) {
        (Ok(snapshot), Some(request)) => {
            let longest = snapshot.server.max_request_time;
            let deadline = deadline::of_message(timeout_us, call.begun(), longest, stream_deadline);
            answer_predict(&snapshot, request, deadline, &mut call).await
        }
        (Ok(_), None) => Err(status::invalid(&Violations::one("request", "is required"))),
        (Err(status), _) => Err(status),
    };
    match answer {
        Ok(response) => {
            call.finish(Code::OK);
            Outcome::Response(response)
        }
        Err(status) => {
            call.finish(call::code(&status));
            Outcome::Error(status::in_band(&status))
        }
    }
}

/// A task that nobody waits for any more does not go on.
struct EndOnDrop(AbortHandle);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
