//! A source of outputs that asks services.

use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tonic::{Code, Status};

use super::service_header::{RunIdentity, different_conditions, environment, service_header};
use crate::cli::client::connection::ServerConnection;
use crate::cli::client::connection::error_messages::{self, effective_code};
use crate::cli::client::requests::{Attempted, NextStep, send_until};
use crate::domain::{ModelOutputs, RobustOutput, ValueEncoding};
use crate::evaluation::{EvaluationHeader, InputOutputs, LabelledInput, OutputSource, SamplingConditions};
use crate::rpc::proto::{
    CertifyRequest, CertifyResponse, DataType, GetModelInfoResponse, Prediction, Provenance, Tensor,
};

/// The votes that one request draws, at least.
const REQUEST_VOTES: u64 = 512;
/// The most inputs of a request.
const MAX_REQUEST_INPUTS: usize = 32;
/// Reserved for all parts of a request other than the values.
const REQUEST_OVERHEAD: u64 = 1024;
/// How long a request is tried again.
const MAX_RETRY_TIME: Duration = Duration::from_secs(120);
/// How long a source stays away from its service after that did not answer.
const AWAY_TIME: Duration = Duration::from_secs(15);

/// One service of a run.
pub(super) struct ServiceEndpoint {
    connection: ServerConnection,
    /// The revision whose conditions were compared last.
    checked_revision: Mutex<String>,
    /// The most inputs that fit a request.
    most_inputs: usize,
    /// The estimation votes that the run asks for.
    votes: Option<u64>,
}

impl ServiceEndpoint {
    pub(super) fn new(connection: ServerConnection, info: &GetModelInfoResponse, votes: Option<u64>) -> Self {
        let values = info
            .input
            .as_ref()
            .map_or(1, |input| input.shape.iter().product::<i64>());
        let input_bytes = u64::try_from(values).unwrap_or(1).saturating_mul(4).max(1);
        let fitting = info.max_message_bytes.saturating_sub(REQUEST_OVERHEAD) / input_bytes;
        let most_inputs = u64::from(info.max_inputs).min(fitting).max(1);
        Self {
            connection,
            checked_revision: Mutex::new(revision(info.provenance.as_ref()).to_owned()),
            most_inputs: usize::try_from(most_inputs).unwrap_or(usize::MAX),
            votes,
        }
    }
}

fn revision(provenance: Option<&Provenance>) -> &str {
    provenance.map_or("", |provenance| provenance.config_revision.as_str())
}

/// Asks one service, and another one while that does not answer.
pub struct ServiceSource {
    runtime: Handle,
    endpoints: Arc<[ServiceEndpoint]>,
    /// The service of this source.
    home: usize,
    /// The service that it asks now.
    current: Cell<usize>,
    /// When it asks its own service again.
    away_until: Cell<Option<Instant>>,
    header: Arc<EvaluationHeader>,
}

/// Whether another service may answer a request that ended with `status`.
fn may_another_answer(status: &Status) -> bool {
    matches!(
        effective_code(status),
        Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Aborted | Code::ResourceExhausted
    )
}

/// The result of one request.
enum Answer {
    Outputs(Vec<InputOutputs>),
    /// Fewer inputs may have outputs; one input has none, for this reason.
    Smaller(String),
    /// No request will have an answer.
    Broken(String),
}

impl OutputSource for ServiceSource {
    fn batch_inputs(&self, sampling: Option<&SamplingConditions>) -> usize {
        let fitting = self
            .endpoints
            .iter()
            .map(|endpoint| endpoint.most_inputs)
            .min()
            .unwrap_or(1);
        let wanted = sampling.map_or(MAX_REQUEST_INPUTS, |sampling| sampling.inputs_for(REQUEST_VOTES));
        wanted.min(fitting).clamp(1, MAX_REQUEST_INPUTS)
    }

    fn outputs(
        &mut self,
        sampling: Option<&SamplingConditions>,
        inputs: &[&LabelledInput],
    ) -> Result<Vec<Result<InputOutputs, String>>, String> {
        let mut results = Vec::with_capacity(inputs.len());
        // A request has one encoding.
        let mut parts: Vec<&[&LabelledInput]> = inputs
            .chunk_by(|a, b| a.input.encoding() == b.input.encoding())
            .rev()
            .collect();
        while let Some(part) = parts.pop() {
            match self.runtime.block_on(self.answer(sampling, part)) {
                Answer::Outputs(outputs) => results.extend(outputs.into_iter().map(Ok)),
                Answer::Smaller(reason) if part.len() < 2 => results.push(Err(reason)),
                Answer::Smaller(_) => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
                Answer::Broken(reason) => return Err(reason),
            }
        }
        Ok(results)
    }
}

impl ServiceSource {
    pub(super) fn new(
        runtime: Handle,
        endpoints: Arc<[ServiceEndpoint]>,
        home: usize,
        header: Arc<EvaluationHeader>,
    ) -> Self {
        Self {
            runtime,
            endpoints,
            home,
            current: Cell::new(home),
            away_until: Cell::new(None),
            header,
        }
    }

    /// Sends one request until it is answered or cannot be.
    async fn answer(&self, sampling: Option<&SamplingConditions>, inputs: &[&LabelledInput]) -> Answer {
        if self.away_until.get().is_some_and(|until| Instant::now() >= until) {
            self.current.set(self.home);
            self.away_until.set(None);
        }
        let asked = Cell::new("");
        let send = |time_left| self.ask(sampling, inputs, time_left, &asked);
        let (step, status) = match send_until(inputs.len(), MAX_RETRY_TIME, send).await {
            Attempted::Answered((endpoint, response), _) => {
                return self.checked(endpoint, sampling, inputs, response).await;
            }
            Attempted::Failed(step, status) => (step, status),
        };
        let reason = format!("{}: {}", asked.get(), error_messages::from_status(&status));
        match step {
            NextStep::Halve(wait) => {
                tokio::time::sleep(wait).await;
                Answer::Smaller(reason)
            }
            NextStep::Isolate => Answer::Smaller(reason),
            NextStep::Report if matches!(status.code(), Code::InvalidArgument | Code::Internal) => {
                Answer::Smaller(reason)
            }
            NextStep::Retry(_) | NextStep::Report | NextStep::Abort => Answer::Broken(reason),
        }
    }

    /// Asks the current service once, and sets `asked` to its address. If it does not answer, the next
    /// attempt asks another one.
    async fn ask<'a>(
        &'a self,
        sampling: Option<&SamplingConditions>,
        inputs: &[&LabelledInput],
        time_left: Duration,
        asked: &Cell<&'a str>,
    ) -> Result<(&'a ServiceEndpoint, CertifyResponse), Status> {
        let current = self.current.get();
        let Some(endpoint) = self.endpoints.get(current) else {
            return Err(Status::not_found("there is no service"));
        };
        asked.set(&endpoint.connection.address);
        let answered = endpoint
            .certify(&self.header.input.shape, sampling, inputs, time_left)
            .await;
        if answered.as_ref().is_err_and(may_another_answer) {
            let next = (current + 1) % self.endpoints.len();
            self.current.set(next);
            self.away_until
                .set((next != self.home).then(|| Instant::now() + AWAY_TIME));
        }
        answered.map(|response| (endpoint, response))
    }

    /// Checks that `response` was computed under the conditions of the run, and reads its outputs.
    async fn checked(
        &self,
        endpoint: &ServiceEndpoint,
        sampling: Option<&SamplingConditions>,
        inputs: &[&LabelledInput],
        response: CertifyResponse,
    ) -> Answer {
        let address = &endpoint.connection.address;
        if let Err(reason) = endpoint
            .check_conditions(&self.header, response.provenance.as_ref())
            .await
        {
            return Answer::Broken(format!("{address}: {reason}"));
        }
        if response.predictions.len() != inputs.len() {
            let found = response.predictions.len();
            return Answer::Broken(format!("{address}: {found} answers to {} inputs", inputs.len()));
        }
        let seconds = response.timings.map_or(0.0, |timings| {
            let time = Duration::from_micros(timings.standard_model_us.saturating_add(timings.robust_model_us));
            #[expect(clippy::cast_precision_loss, reason = "a request has few inputs")]
            let count = inputs.len().max(1) as f64;
            time.as_secs_f64() / count
        });
        let mut outputs = Vec::with_capacity(inputs.len());
        for (prediction, input) in response.predictions.into_iter().zip(inputs) {
            match input_outputs(prediction, sampling, self.header.labels.len(), seconds) {
                Ok(found) => outputs.push(found),
                Err(OutputFlaw::TooFewVotes(_)) if inputs.len() > 1 => return Answer::Smaller(String::new()),
                Err(OutputFlaw::TooFewVotes(votes)) => {
                    let wanted = sampling.map_or(0, SamplingConditions::votes);
                    return Answer::Broken(format!(
                        "{address}: {votes} of {wanted} votes for {} in the time of a request: ask for fewer --votes, or \
                         raise --deadline and server.max_request_time",
                        input.id
                    ));
                }
                Err(OutputFlaw::Malformed(reason)) => {
                    return Answer::Broken(format!("{address}: the answer to {}: {reason}", input.id));
                }
            }
        }
        Answer::Outputs(outputs)
    }
}

impl ServiceEndpoint {
    async fn certify(
        &self,
        shape: &[usize],
        sampling: Option<&SamplingConditions>,
        inputs: &[&LabelledInput],
        time_left: Duration,
    ) -> Result<CertifyResponse, Status> {
        let message = CertifyRequest {
            inputs: Some(tensor(shape, inputs)),
            vote_budget: sampling.map(|sampling| sampling.estimation_votes),
            include_model_outputs: true,
            ..Default::default()
        };
        let timeout = time_left.min(self.connection.deadline);
        let request = self.connection.request_within(timeout, message);
        let response = self.connection.client.clone().certify(request).await?;
        Ok(response.into_inner())
    }

    /// Checks that the service still serves the same models under the same conditions.
    async fn check_conditions(&self, header: &EvaluationHeader, provenance: Option<&Provenance>) -> Result<(), String> {
        let Some(provenance) = provenance else {
            return Err("the answer has no provenance".to_owned());
        };
        let changed = |what: &str| format!("{what} changed during the evaluation; --restart begins again");
        let models = &header.models;
        if provenance.standard_model_sha256 != models.standard.sha256
            || provenance.robust_model_sha256 != models.robust.sha256
        {
            return Err(changed("a model"));
        }
        if environment(provenance) != header.environment {
            return Err(changed("the batch sizes, the build of ONNX Runtime or the processor"));
        }
        let checked = self
            .checked_revision
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if provenance.config_revision == checked {
            return Ok(());
        }
        // Another revision: the settings or a manifest changed. The outputs depend on the manifest alone.
        let info = self.connection.model_info().await.map_err(|error| error.to_string())?;
        let run = RunIdentity {
            data_set: header.data_set.clone(),
            votes: self.votes,
            created: header.created.clone(),
        };
        if let Some(difference) = different_conditions(header, &service_header(&info, run)?) {
            return Err(changed(difference));
        }
        let now = revision(info.provenance.as_ref());
        if now == provenance.config_revision {
            now.clone_into(&mut self.checked_revision.lock().unwrap_or_else(PoisonError::into_inner));
        }
        Ok(())
    }
}

/// Stacks inputs of `shape` and of one encoding.
fn tensor(shape: &[usize], inputs: &[&LabelledInput]) -> Tensor {
    let encoding = inputs
        .first()
        .map_or(ValueEncoding::Float32, |first| first.input.encoding());
    let data: Vec<u8> = inputs
        .iter()
        .flat_map(|input| input.input.bytes().iter().copied())
        .collect();
    let sides = std::iter::once(inputs.len()).chain(shape.iter().copied());
    Tensor {
        dtype: match encoding {
            ValueEncoding::UInt8 => DataType::Uint8,
            ValueEncoding::Float32 => DataType::Float32,
        }
        .into(),
        shape: sides.map(|side| i64::try_from(side).unwrap_or(i64::MAX)).collect(),
        data: data.into(),
    }
}

/// The reason why an answer holds no record.
enum OutputFlaw {
    TooFewVotes(usize),
    Malformed(String),
}

/// Reads the outputs of one prediction for a model of `classes` classes.
fn input_outputs(
    prediction: Prediction,
    sampling: Option<&SamplingConditions>,
    classes: usize,
    seconds: f64,
) -> Result<InputOutputs, OutputFlaw> {
    let malformed = |reason: String| OutputFlaw::Malformed(reason);
    let outputs = prediction
        .model_outputs
        .ok_or_else(|| malformed("has no model_outputs; the service is of an earlier version".to_owned()))?;
    let row = |name: &str, row: Vec<f32>| match row.len() {
        found if found == classes => Ok(row),
        found => Err(malformed(format!("{name} has {found} values, expected {classes}"))),
    };
    let standard = row("model_outputs.standard", outputs.standard)?;
    let Some(sampling) = sampling else {
        return Ok(InputOutputs {
            outputs: ModelOutputs {
                standard,
                robust: RobustOutput::Row(row("model_outputs.robust", outputs.robust)?),
            },
            snapping_loss: 0.0,
            noise_key: None,
            seconds,
        });
    };
    if (outputs.votes.len() as u64) < sampling.votes() {
        return Err(OutputFlaw::TooFewVotes(outputs.votes.len()));
    }
    if outputs.votes.len() as u64 != sampling.votes() {
        let (found, expected) = (outputs.votes.len(), sampling.votes());
        return Err(malformed(format!(
            "model_outputs.votes has {found} votes, expected {expected}"
        )));
    }
    let is_number = |number: &u32| usize::try_from(*number).is_ok_and(|number| number <= classes);
    if let Some(number) = outputs.votes.iter().find(|number| !is_number(number)) {
        return Err(malformed(format!(
            "model_outputs.votes has {number}, expected 0 to {classes}"
        )));
    }
    let certificate = prediction.certificate.unwrap_or_default();
    if !(0.0..f64::INFINITY).contains(&certificate.snapping_loss) {
        let found = certificate.snapping_loss;
        return Err(malformed(format!(
            "snapping_loss is {found}, expected a finite number from 0"
        )));
    }
    let noise_key = <[u8; 32]>::try_from(certificate.noise_key.as_slice())
        .map_err(|_| malformed("noise_key is missing".to_owned()))?;
    let votes = outputs.votes.into_iter().map(|number| number.checked_sub(1)).collect();
    Ok(InputOutputs {
        outputs: ModelOutputs {
            standard,
            robust: RobustOutput::Votes(votes),
        },
        snapping_loss: certificate.snapping_loss,
        noise_key: Some(noise_key),
        seconds,
    })
}
