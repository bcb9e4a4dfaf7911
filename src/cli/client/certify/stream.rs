//! `certimix certify --stream`: shows the radius while it grows.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::ProgressBar;
use tonic::{Status, Streaming};

use super::args::CertifyArgs;
use crate::cli::client::connection::error_messages;
use crate::cli::client::input::{ModelInput, ReadSource};
use crate::cli::client::requests::{
    FailedAttempt, NextStep, RequestSender, backoff, end, stack_inputs, until_interrupted,
};
use crate::cli::client::results::{PredictionRecord, ResultPrinter};
use crate::cli::{output, progress_bar};
use crate::rpc::proto::CertifyStreamResponse;

/// Opens one stream for each input, one after the other. With `--json`, prints every message.
/// Otherwise prints messages as status lines, and the last message of each stream in the table.
pub(super) async fn run(args: &CertifyArgs, mut sender: RequestSender) -> anyhow::Result<()> {
    let mut printer = sender.printer(&args.inference);
    // The last message of a stream that Ctrl-C cuts short: it is valid by itself.
    let mut unfinished = None;
    let certify_all = certify_all(args, &mut sender, &mut printer, &mut unfinished);
    let ended = until_interrupted(certify_all).await;
    if let Some((record, input)) = unfinished
        && !args.inference.json
    {
        printer.add(record, &input.conversions)?;
    }
    end(printer, ended, sender.files)
}

/// The last message of a stream that has not ended, and its input.
type Unfinished = Option<(PredictionRecord, ModelInput)>;

async fn certify_all(
    args: &CertifyArgs,
    sender: &mut RequestSender,
    printer: &mut ResultPrinter,
    unfinished: &mut Unfinished,
) -> anyhow::Result<()> {
    while let Some(source) = sender.reader.next().await {
        match source {
            ReadSource::Failed(reason) => printer.fail(1, &reason),
            ReadSource::Inputs(inputs) => {
                for input in &inputs {
                    certify_one(args, sender, input, printer, unfinished).await?;
                }
            }
        }
    }
    Ok(())
}

/// Certifies one input. An error of this input alone is reported; an error that every input would
/// have is returned.
async fn certify_one(
    args: &CertifyArgs,
    sender: &RequestSender,
    input: &ModelInput,
    printer: &mut ResultPrinter,
    unfinished: &mut Unfinished,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut delays = backoff();
    let mut retries = 0;
    loop {
        let time_left = sender.connection.deadline.saturating_sub(started.elapsed());
        let status_line = progress_bar::status_line();
        let shown = ShownStream {
            args,
            sender,
            input,
            status_line: &status_line,
        };
        let finished = shown.receive(time_left, printer, unfinished).await;
        status_line.finish_and_clear();
        let status = match finished {
            Ok(()) => break,
            Err(StreamError::Output(error)) => return Err(error),
            Err(StreamError::Status(status)) => status,
        };
        let attempt = FailedAttempt {
            inputs: 1,
            retries,
            time_left: sender.connection.deadline.saturating_sub(started.elapsed()),
            delay: delays.next(),
        };
        retries += 1;
        match NextStep::after(&status, attempt) {
            // A stream that has given a certificate is not drawn again.
            NextStep::Retry(delay) if unfinished.is_none() => tokio::time::sleep(delay).await,
            NextStep::Abort if unfinished.is_none() => return Err(error_messages::from_status(&status)),
            _ => {
                let error = error_messages::from_status(&status);
                printer.fail(1, &format!("{}: {error}", input.name));
                break;
            }
        }
    }
    // A stream that was cut short has a certificate all the same.
    if let Some((record, input)) = unfinished.take()
        && !args.inference.json
    {
        printer.add(record, &input.conversions)?;
    }
    Ok(())
}

/// Why a stream gave no last message.
enum StreamError {
    Status(Status),
    Output(anyhow::Error),
}

/// A stream for one input, whose messages are shown as they come.
struct ShownStream<'a> {
    args: &'a CertifyArgs,
    sender: &'a RequestSender,
    input: &'a ModelInput,
    status_line: &'a ProgressBar,
}

impl ShownStream<'_> {
    /// Receives every message. The newest one is kept in `newest`.
    async fn receive(
        &self,
        timeout: Duration,
        printer: &mut ResultPrinter,
        newest: &mut Unfinished,
    ) -> Result<(), StreamError> {
        let started = Instant::now();
        let mut messages = self.open(timeout).await.map_err(StreamError::Status)?;
        let mut is_final = false;
        while let Some(message) = messages.message().await.map_err(StreamError::Status)? {
            is_final = message.r#final;
            let record = self
                .record_of(message, started.elapsed())
                .map_err(StreamError::Output)?;
            self.show(&record, printer).map_err(StreamError::Output)?;
            *newest = Some((record, self.input.clone()));
        }
        if is_final {
            return Ok(());
        }
        Err(StreamError::Status(Status::unavailable(
            "the stream ended before its last message",
        )))
    }

    async fn open(&self, timeout: Duration) -> Result<Streaming<CertifyStreamResponse>, Status> {
        let request = self.args.request(stack_inputs(std::slice::from_ref(self.input)));
        let request = self.sender.connection.request_within(timeout, request);
        let mut client = self.sender.connection.client.clone();
        Ok(client.certify_stream(request).await?.into_inner())
    }

    fn record_of(&self, message: CertifyStreamResponse, elapsed: Duration) -> anyhow::Result<PredictionRecord> {
        let prediction = message.prediction.context("the server's message has no prediction")?;
        let provenance = message.provenance.context("the server's message has no provenance")?;
        let true_class = self.sender.true_classes.class_of(&self.input.name);
        let mut record = PredictionRecord::new(self.input, true_class, elapsed, prediction, provenance);
        record.is_final = Some(message.r#final);
        Ok(record)
    }

    fn show(&self, record: &PredictionRecord, printer: &mut ResultPrinter) -> anyhow::Result<()> {
        if self.args.inference.json {
            return printer.add(record.clone(), &self.input.conversions);
        }
        if output::is_quiet() {
            return Ok(());
        }
        let status = printer.status_text(record, output::width());
        if output::stdout_can_redraw() {
            self.status_line.set_message(status);
            return Ok(());
        }
        output::line(status)
    }
}
