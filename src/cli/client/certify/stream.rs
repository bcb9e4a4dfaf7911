//! `certimix certify --stream`: shows the radius while it grows.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::args::CertifyArgs;
use crate::cli::client::connection::error_messages;
use crate::cli::client::input::ModelInput;
use crate::cli::client::requests::{RequestSender, stack_inputs};
use crate::cli::client::results::{PredictionRecord, ResultPrinter, certificate_text, rounded_radius};
use crate::cli::{output, progress_bar};
use crate::rpc::proto::CertifyStreamResponse;

/// Opens one stream for each input, one after the other. With `--json`, prints every message.
/// Otherwise prints messages as status lines, and the last message of each stream in the table.
pub(super) async fn run(args: &CertifyArgs, session: RequestSender) -> anyhow::Result<()> {
    let mut printer = ResultPrinter::new(args.inference.json);
    let outcome = certify_all(args, &session, &mut printer).await;
    printer.finish().and(outcome)
}

async fn certify_all(args: &CertifyArgs, session: &RequestSender, printer: &mut ResultPrinter) -> anyhow::Result<()> {
    for input in &session.inputs {
        certify_one(args, session, input, printer).await?;
    }
    Ok(())
}

async fn certify_one(
    args: &CertifyArgs,
    session: &RequestSender,
    input: &ModelInput,
    printer: &mut ResultPrinter,
) -> anyhow::Result<()> {
    let json = args.inference.json;
    let started = Instant::now();
    let request = session
        .connection
        .request(args.request(stack_inputs(std::slice::from_ref(input))));
    let mut client = session.connection.client.clone();
    let response = client
        .certify_stream(request)
        .await
        .map_err(|status| error_messages::from_status(&status))?;
    let mut messages = response.into_inner();
    let status_line = progress_bar::status_line();
    let mut last: Option<PredictionRecord> = None;
    while let Some(message) = messages
        .message()
        .await
        .map_err(|status| error_messages::from_status(&status))?
    {
        let record = record_of(session, input, message, started.elapsed())?;
        if json {
            printer.add(record.clone())?;
        } else if output::stdout_is_terminal() {
            status_line.set_message(status_text(&record));
        } else {
            output::line(status_text(&record))?;
        }
        last = Some(record);
    }
    status_line.finish_and_clear();
    let last = last.filter(|record| record.is_final == Some(true));
    let last = last.with_context(|| format!("{}: the stream ended before its last message", input.name))?;
    if json { Ok(()) } else { printer.add(last) }
}

fn record_of(
    session: &RequestSender,
    input: &ModelInput,
    message: CertifyStreamResponse,
    elapsed: Duration,
) -> anyhow::Result<PredictionRecord> {
    let prediction = message.prediction.context("the server's message has no prediction")?;
    let provenance = message.provenance.context("the server's message has no provenance")?;
    let true_label = session.true_labels.label_of(&input.name);
    let mut record = PredictionRecord::new(input, true_label, elapsed, prediction, provenance);
    record.is_final = Some(message.r#final);
    Ok(record)
}

/// One message as a line of text.
fn status_text(record: &PredictionRecord) -> String {
    format!(
        "{}: {} within {}, {} after {:.1} s",
        record.file,
        record.label,
        rounded_radius(record.certificate.radius),
        certificate_text(&record.certificate),
        record.time_ms / 1e3,
    )
}
