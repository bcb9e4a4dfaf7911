//! `certimix predict --stream`: all inputs over one PredictStream, as a control loop would ask.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::cli::client::connection::error_messages as failure;
use crate::cli::client::connection::server_connection::Connection;
use crate::cli::client::inference_args::CommonArgs;
use crate::cli::client::requests::inference_session::{Answer, Session, tensor};
use crate::cli::client::results::printer::Report;
use crate::cli::progress_bar::Progress;
use crate::rpc::proto::predict_stream_response::Outcome;
use crate::rpc::proto::{PredictRequest, PredictStreamRequest, PredictStreamResponse};

/// The server keeps the deadline of each request and says so; this long after it, it is taken for gone.
const GRACE: Duration = Duration::from_millis(500);

/// Sends every input and shows the answers, as without the stream.
pub(crate) async fn run(args: &CommonArgs, session: Session) -> anyhow::Result<()> {
    let plan = session.plan(args)?;
    let mut report = Report::new(args.json);
    let outcome = exchange(args, &session, plan, &mut report).await;
    report.finish().and(outcome)
}

async fn exchange(
    args: &CommonArgs,
    session: &Session,
    plan: Vec<Range<usize>>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let in_flight = args.in_flight();
    let (requests, outgoing) = mpsc::channel(in_flight);
    let mut messages = open(&session.connection, ReceiverStream::new(outgoing)).await?;
    let mut progress = Progress::new(session.inputs.len() as u64, "inputs");
    let mut waiting: VecDeque<(Range<usize>, Instant)> = VecDeque::new();
    let mut plan = plan.into_iter();
    loop {
        while waiting.len() < in_flight
            && let Some(range) = plan.next()
        {
            let request = request(args, session, range.clone());
            // A stream that has ended says why with its next message.
            let _ = requests.send(request).await;
            waiting.push_back((range, Instant::now()));
        }
        let Some((range, sent)) = waiting.pop_front() else {
            return Ok(());
        };
        let patience = session.connection.deadline().saturating_add(GRACE);
        let answer = next(&mut messages, patience.saturating_sub(sent.elapsed())).await?;
        let inputs = session.inputs.get(range).unwrap_or_default();
        session.report(inputs, answer, sent.elapsed(), report)?;
        progress.advance(inputs.len() as u64);
    }
}

async fn open(
    connection: &Connection,
    outgoing: ReceiverStream<PredictStreamRequest>,
) -> anyhow::Result<Streaming<PredictStreamResponse>> {
    let mut client = connection.client.clone();
    let opened = tokio::time::timeout(
        connection.deadline().saturating_add(GRACE),
        client.predict_stream(connection.stream(outgoing)),
    )
    .await;
    let opened = opened.map_err(|_| failure::explain(&too_late()))?;
    Ok(opened.map_err(|status| failure::explain(&status))?.into_inner())
}

fn request(args: &CommonArgs, session: &Session, range: Range<usize>) -> PredictStreamRequest {
    let inputs = session.inputs.get(range).unwrap_or_default();
    let timeout = session.connection.deadline().max(Duration::from_micros(1));
    PredictStreamRequest {
        request: Some(PredictRequest {
            inputs: Some(tensor(inputs)),
            include_components: args.components,
            priority: args.priority(),
        }),
        timeout_us: u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX),
    }
}

async fn next(messages: &mut Streaming<PredictStreamResponse>, left: Duration) -> anyhow::Result<Answer> {
    let message = tokio::time::timeout(left, messages.message()).await;
    let message = message.unwrap_or_else(|_| Err(too_late()));
    let message = message.map_err(|status| failure::explain(&status))?;
    match message.context("the stream ended before its last answer")?.outcome {
        Some(Outcome::Response(response)) => Ok(Answer {
            predictions: response.predictions,
            provenance: response.provenance,
        }),
        Some(Outcome::Error(error)) => Err(failure::explain_in_band(&error)),
        None => bail!("the server sent neither an answer nor an error"),
    }
}

fn too_late() -> Status {
    Status::deadline_exceeded("the server did not answer")
}
