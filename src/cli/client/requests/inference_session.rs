//! Sends the inputs, a few requests at a time, and keeps their order.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::task::JoinHandle;
use tonic::Status;

use crate::cli::client::connection::error_messages as failure;
use crate::cli::client::connection::server_connection::Connection;
use crate::cli::client::inference_args::CommonArgs;
use crate::cli::client::input::model_input as input;
use crate::cli::client::input::model_input::{Input, InputSpec};
use crate::cli::client::input::true_labels::Labels;
use crate::cli::client::requests::batching as batch;
use crate::cli::client::requests::batching::Limits;
use crate::cli::client::results::prediction_record::Record;
use crate::cli::client::results::printer::Report;
use crate::cli::progress_bar::Progress;
use crate::rpc::proto::{GetModelInfoResponse, Prediction, Provenance, Tensor};

/// What `Predict` and `Certify` both answer.
pub(crate) struct Answer {
    /// In the order of the inputs.
    pub predictions: Vec<Prediction>,
    /// What answered.
    pub provenance: Option<Provenance>,
}

/// A server that was reached, and inputs that fit its model.
pub(crate) struct Session {
    /// The server.
    pub connection: Connection,
    /// What was given.
    pub inputs: Vec<Input>,
    /// What is known about it.
    pub labels: Labels,
    info: GetModelInfoResponse,
}

impl Session {
    /// Connects, asks what is served, and reads every file.
    pub(crate) async fn open(args: &CommonArgs) -> anyhow::Result<Self> {
        let connection = Connection::open(&args.connection).await?;
        let info = connection.model_info().await?;
        let spec = InputSpec::from_info(info.input.as_ref().context("the server does not say what it takes")?)?;
        let inputs = input::read_files(&args.files, &spec, args.resize)?;
        let labels = Labels::new(&info.labels, args.labels.as_deref())?;
        Ok(Self {
            connection,
            inputs,
            labels,
            info,
        })
    }

    /// Which inputs travel in which request.
    pub(crate) fn plan(&self, args: &CommonArgs) -> anyhow::Result<Vec<Range<usize>>> {
        let limits = Limits {
            inputs: usize::try_from(args.batch.min(self.info.max_inputs))?,
            message_bytes: self.info.max_message_bytes,
        };
        batch::plan(&self.inputs, limits)
    }

    /// Sends every input and shows the answers. `send` makes one request.
    pub(crate) async fn run<F>(self, args: &CommonArgs, send: impl Fn(Connection, Tensor) -> F) -> anyhow::Result<()>
    where
        F: Future<Output = Result<Answer, Status>> + Send + 'static,
    {
        let plan = self.plan(args)?;
        let mut report = Report::new(args.json);
        let outcome = self.send_all(plan, args.in_flight(), send, &mut report).await;
        report.finish().and(outcome)
    }

    async fn send_all<F>(
        &self,
        plan: Vec<Range<usize>>,
        in_flight: usize,
        send: impl Fn(Connection, Tensor) -> F,
        report: &mut Report,
    ) -> anyhow::Result<()>
    where
        F: Future<Output = Result<Answer, Status>> + Send + 'static,
    {
        let mut progress = Progress::new(self.inputs.len() as u64, "inputs");
        let mut waiting: VecDeque<(Range<usize>, JoinHandle<Timed>)> = VecDeque::new();
        let mut plan = plan.into_iter();
        loop {
            // Tops up behind, takes from the front: the answers come in the order of the inputs.
            while waiting.len() < in_flight
                && let Some(range) = plan.next()
            {
                let inputs = self.inputs.get(range.clone()).unwrap_or_default();
                let call = timed(send(self.connection.clone(), tensor(inputs)));
                waiting.push_back((range, tokio::spawn(call)));
            }
            let Some((range, call)) = waiting.pop_front() else {
                return Ok(());
            };
            let (answer, elapsed) = call.await.context("a request ended without an answer")?;
            let answer = answer.map_err(|status| failure::explain(&status))?;
            let inputs = self.inputs.get(range).unwrap_or_default();
            self.report(inputs, answer, elapsed, report)?;
            progress.advance(inputs.len() as u64);
        }
    }

    /// Shows the answer for some inputs.
    pub(crate) fn report(
        &self,
        inputs: &[Input],
        answer: Answer,
        elapsed: Duration,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        if answer.predictions.len() != inputs.len() {
            bail!(
                "the server gave {} answers for {} inputs",
                answer.predictions.len(),
                inputs.len()
            );
        }
        let provenance = answer
            .provenance
            .context("the server does not say which configuration answered")?;
        for (input, prediction) in inputs.iter().zip(answer.predictions) {
            let truth = self.labels.of(&input.name);
            report.add(Record::new(
                input,
                truth,
                milliseconds(elapsed),
                prediction,
                provenance.clone(),
            ))?;
        }
        Ok(())
    }
}

type Timed = (Result<Answer, Status>, Duration);

async fn timed(call: impl Future<Output = Result<Answer, Status>>) -> Timed {
    let started = Instant::now();
    let answer = call.await;
    (answer, started.elapsed())
}

/// For people and for JSON.
pub(crate) fn milliseconds(elapsed: Duration) -> f64 {
    elapsed.as_secs_f64() * 1e3
}

/// Inputs of one type and shape as one tensor.
pub(crate) fn tensor(inputs: &[Input]) -> Tensor {
    let first = inputs.first();
    let count = i64::try_from(inputs.len()).unwrap_or(i64::MAX);
    let one = first.map(|input| input.shape.as_slice()).unwrap_or_default();
    Tensor {
        dtype: first.map(|input| input.dtype.into()).unwrap_or_default(),
        shape: [&[count], one].concat(),
        data: inputs.iter().flat_map(|input| input.data.iter().copied()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto::DataType;

    #[test]
    fn inputs_are_stacked() {
        let input = |data: &[u8]| Input {
            name: "x".into(),
            dtype: DataType::Uint8,
            shape: vec![1, 2],
            data: data.to_vec(),
            resized: false,
        };
        let stacked = tensor(&[input(&[1, 2]), input(&[3, 4])]);
        assert_eq!(
            (stacked.shape, stacked.data.to_vec()),
            (vec![2, 1, 2], vec![1, 2, 3, 4])
        );
        assert_eq!(stacked.dtype, i32::from(DataType::Uint8));
    }
}
