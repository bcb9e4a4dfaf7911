//! `certimix predict --stream`: sends all inputs over one `PredictStream`, as a control loop does.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::cli::client::connection::{ServerConnection, error_messages};
use crate::cli::client::requests::InferenceResponse;
use crate::rpc::proto::predict_stream_response::Outcome;
use crate::rpc::proto::{PredictRequest, PredictStreamRequest, PredictStreamResponse};

/// The server enforces the deadline of each request and responds with an error. If no message
/// arrives within this time after the deadline, the client gives up.
const GRACE_PERIOD: Duration = Duration::from_millis(500);

/// The most requests that wait for a place in the stream. The command has fewer in flight.
const MAX_WAITING: usize = 16;

/// Sends requests over a stream. When a stream ends, the next request opens another.
pub(super) struct PredictStreamCaller {
    calls: mpsc::Sender<Call>,
}

type Reply = oneshot::Sender<Result<InferenceResponse, Status>>;

/// A request, and the place for its response.
struct Call {
    request: PredictStreamRequest,
    reply: Reply,
}

impl PredictStreamCaller {
    /// Starts a task that owns the stream. It ends when the caller is dropped.
    pub(super) fn start(connection: ServerConnection) -> Self {
        let (calls, received) = mpsc::channel(MAX_WAITING);
        tokio::spawn(run_streams(connection, received));
        Self { calls }
    }

    /// Sends one request, and waits for its response until shortly after `timeout`.
    pub(super) async fn call(&self, request: PredictRequest, timeout: Duration) -> Result<InferenceResponse, Status> {
        // A timeout of 0 would stand for the operator's.
        let timeout_us = timeout.max(Duration::from_micros(1)).as_micros();
        let request = PredictStreamRequest {
            request: Some(request),
            timeout_us: u64::try_from(timeout_us).unwrap_or(u64::MAX),
            ..Default::default()
        };
        let (reply, response) = oneshot::channel();
        let exchange = async {
            let sent = self.calls.send(Call { request, reply }).await;
            sent.map_err(|_| stream_ended())?;
            response.await.unwrap_or_else(|_| Err(stream_ended()))
        };
        tokio::time::timeout(timeout.saturating_add(GRACE_PERIOD), exchange)
            .await
            .unwrap_or_else(|_| Err(Status::deadline_exceeded("the server did not respond")))
    }
}

/// Opens a stream for each call that finds none.
async fn run_streams(connection: ServerConnection, mut calls: mpsc::Receiver<Call>) {
    while let Some(first) = calls.recv().await {
        let (requests, outgoing) = mpsc::channel(MAX_WAITING);
        match open_stream(&connection, ReceiverStream::new(outgoing)).await {
            Ok(responses) => exchange(first, &mut calls, requests, responses).await,
            // Nobody waits for the reply of a caller that has given up.
            Err(status) => drop(first.reply.send(Err(status))),
        }
    }
}

async fn open_stream(
    connection: &ServerConnection,
    outgoing: ReceiverStream<PredictStreamRequest>,
) -> Result<Streaming<PredictStreamResponse>, Status> {
    let mut client = connection.client.clone();
    let call = client.predict_stream(connection.request_without_deadline(outgoing));
    let timeout = connection.deadline.saturating_add(GRACE_PERIOD);
    let opened = tokio::time::timeout(timeout, call).await;
    opened
        .unwrap_or_else(|_| Err(Status::deadline_exceeded("the server did not respond")))
        .map(tonic::Response::into_inner)
}

/// Sends calls on one stream until it ends or no caller is left. Responses come in the order of the
/// requests.
async fn exchange(
    first: Call,
    calls: &mut mpsc::Receiver<Call>,
    requests: mpsc::Sender<PredictStreamRequest>,
    mut responses: Streaming<PredictStreamResponse>,
) {
    let mut waiting: VecDeque<Reply> = VecDeque::new();
    let mut next = Some(first);
    loop {
        if let Some(Call { request, reply }) = next.take() {
            match requests.try_send(request) {
                Ok(()) => waiting.push_back(reply),
                Err(_) => drop(reply.send(Err(stream_ended()))),
            }
        }
        tokio::select! {
            call = calls.recv() => match call {
                Some(call) => next = Some(call),
                None => return,
            },
            message = responses.message() => match message {
                Ok(Some(message)) => {
                    if let Some(reply) = waiting.pop_front() {
                        drop(reply.send(outcome(message)));
                    }
                }
                Ok(None) => return reply_to_all(waiting, &stream_ended()),
                Err(status) => return reply_to_all(waiting, &status),
            },
        }
    }
}

fn outcome(message: PredictStreamResponse) -> Result<InferenceResponse, Status> {
    match message.outcome {
        Some(Outcome::Response(response)) => Ok(response.into()),
        Some(Outcome::Error(error)) => Err(error_messages::request_status(&error)),
        None => Err(Status::internal(
            "the server's message has neither a response nor an error",
        )),
    }
}

fn reply_to_all(waiting: VecDeque<Reply>, status: &Status) {
    for reply in waiting {
        drop(reply.send(Err(status.clone())));
    }
}

fn stream_ended() -> Status {
    Status::unavailable("the stream ended before the response")
}
