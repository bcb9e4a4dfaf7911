//! Sends the inputs, a few requests at a time, and prints the results in their order.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_util::StreamExt as _;
use futures_util::stream;
use tonic::Status;

use super::inference_response::InferenceResponse;
use super::input_batcher::{Batch, BatchLimit, InputBatcher, WorkItem};
use super::request_attempts::{Answer, Attempted, answer_inputs, send_until};
use crate::cli::client::connection::{ServerConnection, error_messages};
use crate::cli::client::inference_args::InferenceArgs;
use crate::cli::client::input::{AcceptedInput, InputReader, ModelInput, TrueClasses, find_sources};
use crate::cli::client::results::{PredictionRecord, ResultPrinter};
use crate::cli::output::{self, SilentExit};
use crate::cli::progress_bar::DelayedProgressBar;
use crate::cli::text_layout::count_of;
use crate::rpc::proto::{GetModelInfoResponse, Tensor};

/// The exit code of a command that Ctrl-C ends: 128 and the number of SIGINT, as in shells.
const INTERRUPTED: u8 = 130;

/// A connected server, and the inputs for its model.
pub(in crate::cli::client) struct RequestSender {
    /// The connection to the server.
    pub connection: ServerConnection,
    /// The true classes of the inputs.
    pub true_classes: TrueClasses,
    /// The number of files, as far as they are known before they are read.
    pub files: usize,
    /// The inputs.
    pub reader: InputReader,
    info: GetModelInfoResponse,
}

impl RequestSender {
    /// Finds the files, connects, requests the model's input specification, and starts to read.
    pub(in crate::cli::client) async fn open(args: &InferenceArgs) -> anyhow::Result<Self> {
        let sources = find_sources(&args.files)?;
        let connection = ServerConnection::open(&args.connection).await?;
        // A server that is still loading its models answers a little later.
        let model_info = |timeout| connection.model_info_within(timeout);
        let info = match send_until(1, connection.deadline, model_info).await {
            Attempted::Answered(info, _) => info,
            Attempted::Failed(_, status) => return Err(error_messages::from_status(&status)),
        };
        let input = info.input.as_ref();
        let spec = AcceptedInput::from_info(input.context("the server's GetModelInfoResponse has no input")?)?;
        let true_classes = TrueClasses::new(&info.labels, args.labels.as_deref())?;
        Ok(Self {
            connection,
            true_classes,
            files: sources.len(),
            reader: InputReader::start(sources, spec, args.resize)?,
            info,
        })
    }

    /// The printer of the results.
    pub(in crate::cli::client) fn printer(&self, args: &InferenceArgs) -> ResultPrinter {
        ResultPrinter::new(args.json, &self.info.labels)
    }

    /// Sends every input, and prints the results. `send` sends one request with a timeout.
    pub(in crate::cli::client) async fn run<F>(
        self,
        args: &InferenceArgs,
        send: impl Fn(Tensor, Duration) -> F,
    ) -> anyhow::Result<()>
    where
        F: Future<Output = Result<InferenceResponse, Status>>,
    {
        let mut printer = self.printer(args);
        let Self {
            connection,
            true_classes,
            files,
            reader,
            info,
        } = self;
        let limit = BatchLimit::new(usize::try_from(args.batch.min(info.max_inputs))?);
        let first_limit = limit.get();
        let batcher = InputBatcher::new(reader, &limit, info.max_message_bytes);
        let steps = stream::unfold(batcher, |mut batcher| async { Some((batcher.next().await?, batcher)) });
        let deadline = connection.deadline;
        let outcomes = steps.map(|step| StepOutcome::of(step, deadline, &limit, &send));
        let mut outcomes = pin!(outcomes.buffered(args.max_in_flight()));
        let mut progress = DelayedProgressBar::new(files as u64, "files");
        let print_all = async {
            while let Some(outcome) = outcomes.next().await {
                progress.suspend(|| outcome.print(&true_classes, &mut printer))?;
                progress.advance(outcome.files);
            }
            Ok(())
        };
        let ended = until_interrupted(print_all).await;
        drop(progress);
        if limit.get() < first_limit {
            output::note(format_args!(
                "larger requests were refused or too slow: {} in each instead of {first_limit}",
                count_of(limit.get(), "input")
            ));
        }
        end(printer, ended, files)
    }
}

/// Waits for `command` or for Ctrl-C, whichever comes first.
pub(in crate::cli::client) async fn until_interrupted(
    command: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<Ended> {
    tokio::select! {
        biased;
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.context("cannot listen for Ctrl-C")?;
            Ok(Ended::Interrupted)
        }
        outcome = command => outcome.map(|()| Ended::Complete),
    }
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli::client) enum Ended {
    /// After the last input.
    Complete,
    /// By Ctrl-C.
    Interrupted,
}

/// Prints the table of what is finished, and selects the exit code.
pub(in crate::cli::client) fn end(
    printer: ResultPrinter,
    ended: anyhow::Result<Ended>,
    files: usize,
) -> anyhow::Result<()> {
    let (answered, failed) = (printer.answered(), printer.failed());
    printer.finish()?;
    let results = format!(
        "{} of {} finished",
        count_of(answered, "input"),
        count_of(files, "file")
    );
    match ended {
        Err(error) if answered > 0 => Err(error.context(format!("stopped early: {results}"))),
        Err(error) => Err(error),
        Ok(Ended::Interrupted) => {
            output::error(format_args!("interrupted: {results}"));
            Err(SilentExit(INTERRUPTED).into())
        }
        Ok(Ended::Complete) if failed > 0 => Err(SilentExit(1).into()),
        Ok(Ended::Complete) => Ok(()),
    }
}

/// The result of one step.
struct StepOutcome {
    kind: OutcomeKind,
    /// The number of files that end with it.
    files: u64,
}

enum OutcomeKind {
    Unreadable(String),
    Answers(Vec<Answer>),
}

impl StepOutcome {
    async fn of<F>(
        step: WorkItem,
        deadline: Duration,
        limit: &BatchLimit,
        send: &impl Fn(Tensor, Duration) -> F,
    ) -> Self
    where
        F: Future<Output = Result<InferenceResponse, Status>>,
    {
        match step {
            WorkItem::Unreadable(reason) => Self {
                kind: OutcomeKind::Unreadable(reason),
                files: 1,
            },
            WorkItem::Send(Batch { inputs, files }) => Self {
                kind: OutcomeKind::Answers(answer_inputs(inputs, deadline, limit, send).await),
                files,
            },
        }
    }

    /// Prints the results. An error ends the command.
    fn print(&self, true_classes: &TrueClasses, printer: &mut ResultPrinter) -> anyhow::Result<()> {
        match &self.kind {
            OutcomeKind::Unreadable(reason) => printer.fail(1, reason),
            OutcomeKind::Answers(answers) => {
                for answer in answers {
                    print_answer(answer, true_classes, printer)?;
                }
            }
        }
        Ok(())
    }
}

fn print_answer(answer: &Answer, true_classes: &TrueClasses, printer: &mut ResultPrinter) -> anyhow::Result<()> {
    match answer {
        Answer::Response {
            inputs,
            response,
            elapsed,
        } => print_response(inputs, response, *elapsed, true_classes, printer),
        Answer::Failed { inputs, status } => {
            let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
            let error = error_messages::from_status(status);
            printer.fail(inputs.len(), &format!("{}: {error}", names.join(", ")));
            Ok(())
        }
        Answer::Aborted(status) => Err(error_messages::from_status(status)),
    }
}

/// Prints the response for some inputs.
fn print_response(
    inputs: &[ModelInput],
    response: &InferenceResponse,
    elapsed: Duration,
    true_classes: &TrueClasses,
    printer: &mut ResultPrinter,
) -> anyhow::Result<()> {
    if response.predictions.len() != inputs.len() {
        bail!(
            "the server returned {} predictions, expected {}",
            response.predictions.len(),
            inputs.len()
        );
    }
    let provenance = response.provenance.as_ref();
    let provenance = provenance.context("the server's response has no provenance")?;
    for (input, prediction) in inputs.iter().zip(&response.predictions) {
        let true_class = true_classes.class_of(&input.name);
        let record = PredictionRecord::new(input, true_class, elapsed, prediction.clone(), provenance.clone());
        printer.add(record, &input.conversions)?;
    }
    Ok(())
}
