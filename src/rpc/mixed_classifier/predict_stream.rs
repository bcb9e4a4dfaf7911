//! PredictStream: answers the requests of one stream in their order.
//!
//! The response stream pulls requests. It reads one whenever fewer than `server.stream_window` are
//! in progress, and spawns a task for each. A caller that does not read its responses therefore
//! leaves no unfinished work in the models' queues. It blocks its own stream only: at most a window
//! of finished responses waits, and the server reads no further. Dropping the stream aborts its
//! tasks.

use std::future::Future;
use std::time::Instant;

use futures_util::future::{Either, FutureExt as _};
use futures_util::stream::{self, Stream, StreamExt as _};
use tokio::task::AbortHandle;
use tokio::task::coop::consume_budget;
use tonic::{Status, Streaming};

use super::predict::predict_response;
use super::proto::predict_stream_response::Outcome;
use super::proto::{PredictStreamRequest, PredictStreamResponse};
use super::request_error::request_error;
use crate::call::Code;
use crate::domain::Violations;
use crate::rpc::common::call_tracker::{StreamCallTracker, TrackedCall, recorded_code};
use crate::rpc::common::deadline::stream_message_deadline;
use crate::rpc::common::handler_context::HandlerContext;
use crate::rpc::common::status;
use crate::rpc::common::status_correction::record_unreadable_message;
use crate::rpc::memory::HeldMemory;

/// The share of a task's budget of 128 that a message costs. Requests that are refused at once never
/// wait, and would otherwise keep the thread. The task takes turns with others after 32 of them.
const MESSAGE_COST: usize = 4;

type StreamItem = Result<PredictStreamResponse, Status>;

/// The next event of the request stream.
#[expect(
    clippy::large_enum_variant,
    reason = "all events but the last are requests; a box for each would cost more"
)]
enum StreamEvent {
    Request(PredictStreamRequest, TrackedCall),
    /// The server reads no further. The stream ends with this status after all earlier responses.
    End(Status),
}

/// The responses to `requests` in their order. `calls` tracks each request. The stream ends by
/// `deadline`, if it has one.
pub(super) fn responses(
    context: HandlerContext,
    calls: StreamCallTracker,
    requests: Streaming<PredictStreamRequest>,
    deadline: Option<Instant>,
) -> impl Stream<Item = StreamItem> {
    let window = context.live.server().stream_window;
    events(context.clone(), calls, requests, deadline)
        .map(move |event| match event {
            StreamEvent::Request(request, call) => Either::Left(start(context.clone(), request, call, deadline)),
            StreamEvent::End(status) => Either::Right(std::future::ready((Err(status), None))),
        })
        .buffered(window)
        // The response leaves the stream, and tonic encodes it at once.
        .map(|(item, _memory)| item)
}

/// Reads requests until the caller has no more, the server shuts down, or the deadline passes.
fn events(
    context: HandlerContext,
    calls: StreamCallTracker,
    requests: Streaming<PredictStreamRequest>,
    deadline: Option<Instant>,
) -> impl Stream<Item = StreamEvent> {
    stream::unfold(Some((context.shutdown, calls, requests)), move |state| async move {
        let (mut shutdown, mut calls, mut requests) = state?;
        for _ in 0..MESSAGE_COST {
            consume_budget().await;
        }
        let event = tokio::select! {
            // The server must answer every request that it reads. During a shutdown it reads no
            // more, even if requests are available.
            biased;
            () = &mut shutdown => StreamEvent::End(status::stream_shutdown()),
            () = sleep_until(deadline) => StreamEvent::End(status::stream_deadline_exceeded()),
            message = requests.next() => match message? {
                Ok(request) => StreamEvent::Request(request, calls.begin_message()),
                Err(status) => StreamEvent::End(record_unreadable_message(status, &mut calls)),
            },
        };
        let state = matches!(event, StreamEvent::Request(..)).then_some((shutdown, calls, requests));
        Some((event, state))
    })
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// Starts to answer one request at once. Dropping the returned future aborts the answer. The memory
/// of the request lasts until its response leaves the stream.
fn start(
    context: HandlerContext,
    request: PredictStreamRequest,
    call: TrackedCall,
    stream_deadline: Option<Instant>,
) -> impl Future<Output = (StreamItem, Option<HeldMemory>)> {
    let correlation_id = request.correlation_id;
    let memory = call.memory();
    let mut outcome = Box::pin(outcome_of(context, request, call, stream_deadline));
    // The first poll runs until the request is in the queue. Requests are therefore admitted in the
    // order in which they arrived, whichever task runs first. A refused request needs no task.
    if let Some(outcome) = outcome.as_mut().now_or_never() {
        return Either::Left(std::future::ready((item(outcome, correlation_id), memory)));
    }
    let task = tokio::spawn(outcome);
    let abort_on_drop = AbortOnDrop(task.abort_handle());
    Either::Right(async move {
        let _guard = abort_on_drop;
        let outcome = task.await.unwrap_or_else(|error| {
            tracing::error!(%error, "stream request ended without a response");
            Outcome::Error(request_error(&status::internal("the request ended without an answer")))
        });
        (item(outcome, correlation_id), memory)
    })
}

fn item(outcome: Outcome, correlation_id: u64) -> StreamItem {
    Ok(PredictStreamResponse {
        outcome: Some(outcome),
        correlation_id,
    })
}

/// Answers one request and ends its call.
async fn outcome_of(
    context: HandlerContext,
    request: PredictStreamRequest,
    mut call: TrackedCall,
    stream_deadline: Option<Instant>,
) -> Outcome {
    let PredictStreamRequest {
        request, timeout_us, ..
    } = request;
    let result = match (context.snapshot(), request) {
        (Ok(snapshot), Some(request)) => {
            let max_request_time = snapshot.server.max_request_time;
            let deadline = stream_message_deadline(timeout_us, call.received_at(), max_request_time, stream_deadline);
            predict_response(&snapshot, request, deadline, &mut call).await
        }
        (Ok(_), None) => Err(status::invalid_argument(&Violations::one("request", "is required"))),
        (Err(status), _) => Err(status),
    };
    match result {
        Ok(response) => {
            call.end_with_code(Code::OK);
            Outcome::Response(response)
        }
        Err(status) => {
            call.end_with_code(recorded_code(&status));
            Outcome::Error(request_error(&status))
        }
    }
}

/// Aborts a task when its result is no longer awaited.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
