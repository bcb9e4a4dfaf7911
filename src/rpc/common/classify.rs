//! What the handlers have in common: the live classifier, a request checked and answered from one snapshot.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::{BoxFuture, Shared};
use tonic::{Request, Status};
use tracing::Instrument as _;

use super::call_tracker::{Call, Calls};
use super::{deadline, status};
use crate::classifier::{CertificationParams, MixedClassifier, PredictionBatch};
use crate::domain::{Input, Prediction, Violations};
use crate::live::{Live, Snapshot};
use crate::rpc::mixed_classifier::proto::{CertifyRequest, PredictRequest, PredictResponse};
use crate::rpc::mixed_classifier::{certification_params as order, decode_inputs as decode, encode, proto};
use crate::settings::ServerSettings;

/// Comes when the server stops: to each listener, and to every stream that would otherwise stay open.
pub(in crate::rpc) type Stop = Shared<BoxFuture<'static, ()>>;

/// Answers requests from what is live. Clones share it.
#[derive(Clone)]
pub(in crate::rpc) struct Service {
    pub(in crate::rpc) live: Arc<Live>,
    pub(in crate::rpc) calls: Calls,
    /// Comes when the server stops.
    pub(in crate::rpc) stop: Stop,
}

impl Service {
    /// What a request reads, from its first check to its answer.
    pub(in crate::rpc) fn snapshot(&self) -> Result<Arc<Snapshot>, Status> {
        self.live.load().map_err(status::not_live)
    }
}

/// When a request must be answered.
pub(in crate::rpc) fn deadline<T>(
    request: &Request<T>,
    server: &ServerSettings,
    call: &Call,
) -> Result<Instant, Status> {
    deadline::of(request.metadata(), call.begun(), server.max_request_time).map_err(|wrong| status::invalid(&wrong))
}

/// A Predict, wherever it comes from, answered by `deadline` from one snapshot.
pub(in crate::rpc) async fn answer_predict(
    snapshot: &Snapshot,
    request: PredictRequest,
    deadline: Instant,
    call: &mut Call,
) -> Result<PredictResponse, Status> {
    let classifier = &snapshot.classifier;
    let order = order::predict(request.priority, classifier.certification());
    let inputs = decode::inputs(request.inputs.as_ref(), classifier.spec(), snapshot.server.max_inputs);
    let (order, inputs) = both(order, inputs)?;
    call.asks(classifier, inputs.len());
    let span = tracing::debug_span!("predict", inputs = inputs.len());
    let predictions = answer(classifier, inputs, order, deadline, request.include_components, call)
        .instrument(span)
        .await?;
    let provenance = Some(encode::provenance(classifier.provenance()));
    Ok(PredictResponse {
        predictions,
        provenance,
    })
}

/// Reads the order and the inputs, or tells everything that is wrong with either.
pub(in crate::rpc) fn checked(
    request: &CertifyRequest,
    classifier: &MixedClassifier,
    max_inputs: usize,
) -> Result<(CertificationParams, Vec<Input>), Status> {
    let order = order::certify(request, classifier.certification(), classifier.draws_votes());
    both(
        order,
        decode::inputs(request.inputs.as_ref(), classifier.spec(), max_inputs),
    )
}

fn both<A, B>(first: Result<A, Violations>, second: Result<B, Violations>) -> Result<(A, B), Status> {
    match (first, second) {
        (Ok(first), Ok(second)) => Ok((first, second)),
        (first, second) => {
            let wrong = first.err().into_iter().chain(second.err());
            Err(status::invalid(&Violations(wrong.flat_map(|found| found.0).collect())))
        }
    }
}

/// Asks the classifier, and writes what it answers.
pub(in crate::rpc) async fn answer(
    classifier: &MixedClassifier,
    inputs: Vec<Input>,
    order: CertificationParams,
    deadline: Instant,
    components: bool,
    call: &mut Call,
) -> Result<Vec<proto::Prediction>, Status> {
    let answer = ask(classifier, inputs, order, deadline, call).await?;
    let labels = classifier.labels();
    let encode = |prediction: Prediction| encode::prediction(prediction, labels, components);
    Ok(answer.predictions.into_iter().map(encode).collect())
}

/// Asks the classifier. Whatever protocol a request comes by, it is answered here.
pub(in crate::rpc) async fn ask(
    classifier: &MixedClassifier,
    inputs: Vec<Input>,
    order: CertificationParams,
    deadline: Instant,
    call: &mut Call,
) -> Result<PredictionBatch, Status> {
    let answer = classifier.predict(inputs, order, deadline).await.map_err(|error| {
        call.failed(&error);
        status::failed(&error)
    })?;
    call.answered(&answer);
    Ok(answer)
}
