//! `certimix certify --stream`: the radius as it grows.

use std::time::Instant;

use anyhow::Context as _;

use crate::cli::client::certify::command::CertifyArgs;
use crate::cli::client::connection::error_messages as failure;
use crate::cli::client::input::model_input::Input;
use crate::cli::client::requests::inference_session::{Session, milliseconds, tensor};
use crate::cli::client::results::prediction_record::Record;
use crate::cli::client::results::printer::Report;
use crate::cli::client::results::table;
use crate::cli::output;
use crate::cli::progress_bar::Progress;
use crate::rpc::proto::CertifyStreamResponse;

/// One stream an input, one after the other. JSON shows every message; otherwise messages are lines and the last of each
/// stream goes into the table.
pub(crate) async fn run(args: &CertifyArgs, session: Session) -> anyhow::Result<()> {
    let mut report = Report::new(args.common.json);
    let outcome = follow_all(args, &session, &mut report).await;
    report.finish().and(outcome)
}

async fn follow_all(args: &CertifyArgs, session: &Session, report: &mut Report) -> anyhow::Result<()> {
    for input in &session.inputs {
        follow(args, session, input, report).await?;
    }
    Ok(())
}

async fn follow(args: &CertifyArgs, session: &Session, input: &Input, report: &mut Report) -> anyhow::Result<()> {
    let started = Instant::now();
    let request = session
        .connection
        .request(args.request(tensor(std::slice::from_ref(input))));
    let mut client = session.connection.client.clone();
    let answer = client
        .certify_stream(request)
        .await
        .map_err(|status| failure::explain(&status))?;
    let mut messages = answer.into_inner();
    let live = Progress::live_line();
    let mut last: Option<Record> = None;
    while let Some(message) = messages.message().await.map_err(|status| failure::explain(&status))? {
        let record = record(session, input, message, milliseconds(started.elapsed()))?;
        if args.common.json {
            report.add(record.clone())?;
        } else if output::stdout_is_terminal() {
            live.set_message(line(&record));
        } else {
            output::line(line(&record))?;
        }
        last = Some(record);
    }
    live.finish_and_clear();
    let last = last.filter(|record| record.is_final == Some(true));
    let last = last.with_context(|| format!("{}: the stream ended before its last message", input.name))?;
    if args.common.json { Ok(()) } else { report.add(last) }
}

fn record(session: &Session, input: &Input, message: CertifyStreamResponse, time_ms: f64) -> anyhow::Result<Record> {
    let prediction = message
        .prediction
        .context("the server sent a message without a prediction")?;
    let provenance = message
        .provenance
        .context("the server does not say which configuration answered")?;
    let mut record = Record::new(input, session.labels.of(&input.name), time_ms, prediction, provenance);
    record.is_final = Some(message.r#final);
    Ok(record)
}

/// One message in one line.
fn line(record: &Record) -> String {
    format!(
        "{}: {} within {}, {} after {:.1} s",
        record.file,
        record.label,
        table::radius(record.certificate.radius),
        table::certificate(&record.certificate),
        record.time_ms / 1e3,
    )
}
