//! Sends the inputs, a few requests at a time, and keeps their order.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::task::JoinHandle;
use tonic::Status;

use super::inference_response::InferenceResponse;
use super::request_grouping::{RequestLimits, plan_batches};
use super::tensor::stack_inputs;
use crate::cli::client::connection::{ServerConnection, error_messages};
use crate::cli::client::inference_args::InferenceArgs;
use crate::cli::client::input::{AcceptedInput, ModelInput, TrueLabels, read_files};
use crate::cli::client::results::{PredictionRecord, ResultPrinter};
use crate::cli::progress_bar::DelayedProgressBar;
use crate::rpc::proto::{GetModelInfoResponse, Tensor};

/// A connected server, and inputs that fit its model.
pub(in crate::cli::client) struct RequestSender {
    /// The connection to the server.
    pub connection: ServerConnection,
    /// The inputs, in the order of the command line.
    pub inputs: Vec<ModelInput>,
    /// The true classes of the inputs.
    pub true_labels: TrueLabels,
    info: GetModelInfoResponse,
}

impl RequestSender {
    /// Connects, requests the model's input specification, and reads every file.
    pub(in crate::cli::client) async fn open(args: &InferenceArgs) -> anyhow::Result<Self> {
        let connection = ServerConnection::open(&args.connection).await?;
        let info = connection.model_info().await?;
        let input = info.input.as_ref();
        let spec = AcceptedInput::from_info(input.context("the server's GetModelInfoResponse has no input")?)?;
        let inputs = read_files(&args.files, &spec, args.resize)?;
        let true_labels = TrueLabels::new(&info.labels, args.labels.as_deref())?;
        Ok(Self {
            connection,
            inputs,
            true_labels,
            info,
        })
    }

    /// The range of inputs in each request.
    pub(in crate::cli::client) fn plan_batches(&self, args: &InferenceArgs) -> anyhow::Result<Vec<Range<usize>>> {
        let limits = RequestLimits {
            inputs: usize::try_from(args.batch.min(self.info.max_inputs))?,
            message_bytes: self.info.max_message_bytes,
        };
        plan_batches(&self.inputs, limits)
    }

    /// Sends every input as unary requests, and prints the responses. `send` sends one request.
    pub(in crate::cli::client) async fn run_unary<F>(
        self,
        args: &InferenceArgs,
        send: impl Fn(ServerConnection, Tensor) -> F,
    ) -> anyhow::Result<()>
    where
        F: Future<Output = Result<InferenceResponse, Status>> + Send + 'static,
    {
        let batches = self.plan_batches(args)?;
        let mut printer = ResultPrinter::new(args.json);
        let outcome = self.send_all(batches, args.max_in_flight(), send, &mut printer).await;
        printer.finish().and(outcome)
    }

    async fn send_all<F>(
        &self,
        batches: Vec<Range<usize>>,
        max_in_flight: usize,
        send: impl Fn(ServerConnection, Tensor) -> F,
        printer: &mut ResultPrinter,
    ) -> anyhow::Result<()>
    where
        F: Future<Output = Result<InferenceResponse, Status>> + Send + 'static,
    {
        let mut progress = DelayedProgressBar::new(self.inputs.len() as u64, "inputs");
        let mut in_flight: VecDeque<(Range<usize>, JoinHandle<TimedResponse>)> = VecDeque::new();
        let mut batches = batches.into_iter();
        loop {
            // New requests join at the back, and responses are awaited at the front: this keeps the
            // order of the inputs.
            while in_flight.len() < max_in_flight
                && let Some(batch) = batches.next()
            {
                let inputs = self.inputs.get(batch.clone()).unwrap_or_default();
                let call = with_elapsed_time(send(self.connection.clone(), stack_inputs(inputs)));
                in_flight.push_back((batch, tokio::spawn(call)));
            }
            let Some((batch, call)) = in_flight.pop_front() else {
                return Ok(());
            };
            let (response, elapsed) = call.await.context("the task of a request was aborted")?;
            let response = response.map_err(|status| error_messages::from_status(&status))?;
            let inputs = self.inputs.get(batch).unwrap_or_default();
            self.print_response(inputs, response, elapsed, printer)?;
            progress.advance(inputs.len() as u64);
        }
    }

    /// Prints the response for some inputs.
    pub(in crate::cli::client) fn print_response(
        &self,
        inputs: &[ModelInput],
        response: InferenceResponse,
        elapsed: Duration,
        printer: &mut ResultPrinter,
    ) -> anyhow::Result<()> {
        if response.predictions.len() != inputs.len() {
            bail!(
                "the server returned {} predictions, expected {}",
                response.predictions.len(),
                inputs.len()
            );
        }
        let provenance = response.provenance.context("the server's response has no provenance")?;
        for (input, prediction) in inputs.iter().zip(response.predictions) {
            let true_label = self.true_labels.label_of(&input.name);
            printer.add(PredictionRecord::new(
                input,
                true_label,
                elapsed,
                prediction,
                provenance.clone(),
            ))?;
        }
        Ok(())
    }
}

/// A response, and the time from the request to it.
type TimedResponse = (Result<InferenceResponse, Status>, Duration);

async fn with_elapsed_time(call: impl Future<Output = Result<InferenceResponse, Status>>) -> TimedResponse {
    let started = Instant::now();
    let response = call.await;
    (response, started.elapsed())
}
