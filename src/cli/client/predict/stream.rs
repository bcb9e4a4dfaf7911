//! `certimix predict --stream`: sends all inputs over one `PredictStream`, as a control loop does.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::cli::client::connection::{ServerConnection, error_messages};
use crate::cli::client::inference_args::InferenceArgs;
use crate::cli::client::requests::{InferenceResponse, RequestSender, stack_inputs};
use crate::cli::client::results::ResultPrinter;
use crate::cli::progress_bar::DelayedProgressBar;
use crate::rpc::proto::predict_stream_response::Outcome;
use crate::rpc::proto::{PredictRequest, PredictStreamRequest, PredictStreamResponse};

/// The server enforces the deadline of each request and responds with an error. If no message
/// arrives within this time after the deadline, the client gives up.
const GRACE_PERIOD: Duration = Duration::from_millis(500);

/// Sends every input and prints the responses, in the format of the unary command.
pub(super) async fn run(args: &InferenceArgs, session: RequestSender) -> anyhow::Result<()> {
    let batches = session.plan_batches(args)?;
    let mut printer = ResultPrinter::new(args.json);
    let outcome = exchange(args, &session, batches, &mut printer).await;
    printer.finish().and(outcome)
}

async fn exchange(
    args: &InferenceArgs,
    session: &RequestSender,
    batches: Vec<Range<usize>>,
    printer: &mut ResultPrinter,
) -> anyhow::Result<()> {
    let max_in_flight = args.max_in_flight();
    let (requests, outgoing) = mpsc::channel(max_in_flight);
    let mut responses = open_stream(&session.connection, ReceiverStream::new(outgoing)).await?;
    let mut progress = DelayedProgressBar::new(session.inputs.len() as u64, "inputs");
    let mut in_flight: VecDeque<(Range<usize>, Instant)> = VecDeque::new();
    let mut batches = batches.into_iter();
    loop {
        while in_flight.len() < max_in_flight
            && let Some(batch) = batches.next()
        {
            let request = stream_request(args, session, batch.clone());
            // If the stream has ended, sending fails, and the next message carries the reason.
            let _ = requests.send(request).await;
            in_flight.push_back((batch, Instant::now()));
        }
        let Some((batch, sent)) = in_flight.pop_front() else {
            return Ok(());
        };
        let timeout = response_timeout(&session.connection).saturating_sub(sent.elapsed());
        let response = next_response(&mut responses, timeout).await?;
        let inputs = session.inputs.get(batch).unwrap_or_default();
        session.print_response(inputs, response, sent.elapsed(), printer)?;
        progress.advance(inputs.len() as u64);
    }
}

async fn open_stream(
    connection: &ServerConnection,
    outgoing: ReceiverStream<PredictStreamRequest>,
) -> anyhow::Result<Streaming<PredictStreamResponse>> {
    let mut client = connection.client.clone();
    let call = client.predict_stream(connection.request_without_deadline(outgoing));
    let opened = tokio::time::timeout(response_timeout(connection), call).await;
    let opened = opened.unwrap_or_else(|_| Err(timeout_status()));
    Ok(opened
        .map_err(|status| error_messages::from_status(&status))?
        .into_inner())
}

fn stream_request(args: &InferenceArgs, session: &RequestSender, batch: Range<usize>) -> PredictStreamRequest {
    let inputs = session.inputs.get(batch).unwrap_or_default();
    let timeout = session.connection.deadline.max(Duration::from_micros(1));
    PredictStreamRequest {
        request: Some(PredictRequest {
            inputs: Some(stack_inputs(inputs)),
            include_components: args.components,
            priority: args.wire_priority(),
        }),
        timeout_us: u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX),
        ..Default::default()
    }
}

async fn next_response(
    responses: &mut Streaming<PredictStreamResponse>,
    timeout: Duration,
) -> anyhow::Result<InferenceResponse> {
    let message = tokio::time::timeout(timeout, responses.message()).await;
    let message = message.unwrap_or_else(|_| Err(timeout_status()));
    let message = message.map_err(|status| error_messages::from_status(&status))?;
    match message.context("the stream ended before the last response")?.outcome {
        Some(Outcome::Response(response)) => Ok(response.into()),
        Some(Outcome::Error(error)) => Err(error_messages::from_request_error(&error)),
        None => bail!("the server's message has neither a response nor an error"),
    }
}

fn response_timeout(connection: &ServerConnection) -> Duration {
    connection.deadline.saturating_add(GRACE_PERIOD)
}

fn timeout_status() -> Status {
    Status::deadline_exceeded("the server did not respond")
}
