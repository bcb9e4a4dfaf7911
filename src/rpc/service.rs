//! The handlers of `certimix.v1.MixedClassifier`: read, ask the classifier, write.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use futures_util::Stream;
use tonic::{Request, Response, Status, Streaming};
use tracing::Instrument as _;

use super::proto::mixed_classifier_server::MixedClassifier as Rpc;
use super::proto::{
    CertifyRequest, CertifyResponse, CertifyStreamResponse, GetModelInfoRequest, GetModelInfoResponse, PredictRequest,
    PredictResponse, PredictStreamRequest, PredictStreamResponse,
};
use super::router::Stop;
use super::{deadline, decode, encode, info, order, predict_stream, proto, status, stream};
use crate::classifier::{CertificationOrder, MixedClassifier};
use crate::domain::{Input, Prediction, Violations};
use crate::live::Live;
use crate::settings::ServerSettings;

/// Answers requests from what is live. Clones share it.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) live: Arc<Live>,
    pub(super) server: Arc<ServerSettings>,
    /// Comes when the server stops.
    pub(super) stop: Stop,
}

impl Service {
    fn classifier(&self) -> Result<Arc<MixedClassifier>, Status> {
        self.live.load().map_err(status::not_live)
    }

    fn deadline<T>(&self, request: &Request<T>) -> Result<Instant, Status> {
        let received = Instant::now();
        deadline::of(request.metadata(), received, self.server.max_request_time)
            .map_err(|wrong| status::invalid(&wrong))
    }

    /// A Predict, wherever it comes from, answered by `deadline` from one snapshot.
    pub(super) async fn answer_predict(
        &self,
        request: PredictRequest,
        deadline: Instant,
    ) -> Result<PredictResponse, Status> {
        let classifier = self.classifier()?;
        let order = order::predict(request.priority, classifier.certification());
        let inputs = decode::inputs(request.inputs.as_ref(), classifier.spec(), self.server.max_inputs);
        let (order, inputs) = both(order, inputs)?;
        let span = tracing::debug_span!("predict", inputs = inputs.len());
        let predictions = answer(&classifier, inputs, order, deadline, request.include_components)
            .instrument(span)
            .await?;
        let provenance = Some(encode::provenance(classifier.provenance()));
        Ok(PredictResponse {
            predictions,
            provenance,
        })
    }
}

/// Reads the order and the inputs, or tells everything that is wrong with either.
fn checked(
    request: &CertifyRequest,
    classifier: &MixedClassifier,
    max_inputs: usize,
) -> Result<(CertificationOrder, Vec<Input>), Status> {
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
async fn answer(
    classifier: &MixedClassifier,
    inputs: Vec<Input>,
    order: CertificationOrder,
    deadline: Instant,
    components: bool,
) -> Result<Vec<proto::Prediction>, Status> {
    let predictions = classifier
        .predict(inputs, order, deadline)
        .await
        .map_err(|error| status::failed(&error))?;
    let labels = classifier.labels();
    let encode = |prediction: Prediction| encode::prediction(prediction, labels, components);
    Ok(predictions.into_iter().map(encode).collect())
}

#[tonic::async_trait]
impl Rpc for Service {
    async fn predict(&self, request: Request<PredictRequest>) -> Result<Response<PredictResponse>, Status> {
        let deadline = self.deadline(&request)?;
        self.answer_predict(request.into_inner(), deadline)
            .await
            .map(Response::new)
    }

    type PredictStreamStream = Pin<Box<dyn Stream<Item = Result<PredictStreamResponse, Status>> + Send>>;

    async fn predict_stream(
        &self,
        request: Request<Streaming<PredictStreamRequest>>,
    ) -> Result<Response<Self::PredictStreamStream>, Status> {
        let deadline =
            deadline::of_stream(request.metadata(), Instant::now()).map_err(|wrong| status::invalid(&wrong))?;
        let answers = predict_stream::answers(self.clone(), request.into_inner(), deadline);
        Ok(Response::new(Box::pin(answers)))
    }

    async fn certify(&self, request: Request<CertifyRequest>) -> Result<Response<CertifyResponse>, Status> {
        let deadline = self.deadline(&request)?;
        let classifier = self.classifier()?;
        let request = request.into_inner();
        let (order, inputs) = checked(&request, &classifier, self.server.max_inputs)?;
        let span = tracing::debug_span!("certify", inputs = inputs.len());
        let predictions = answer(&classifier, inputs, order, deadline, request.include_components)
            .instrument(span)
            .await?;
        let provenance = Some(encode::provenance(classifier.provenance()));
        Ok(Response::new(CertifyResponse {
            predictions,
            provenance,
        }))
    }

    type CertifyStreamStream = Pin<Box<dyn Stream<Item = Result<CertifyStreamResponse, Status>> + Send>>;

    async fn certify_stream(
        &self,
        request: Request<CertifyRequest>,
    ) -> Result<Response<Self::CertifyStreamStream>, Status> {
        let deadline = self.deadline(&request)?;
        let classifier = self.classifier()?;
        let request = request.into_inner();
        // One input a stream: the limit of the request is 1 here.
        let (order, mut inputs) = checked(&request, &classifier, 1)?;
        let Some(input) = inputs.pop() else {
            return Err(Status::invalid_argument("inputs: expected one"));
        };
        let growing = stream::Growing {
            classifier,
            input,
            order,
            deadline,
            components: request.include_components,
        };
        Ok(Response::new(Box::pin(growing.start())))
    }

    async fn get_model_info(
        &self,
        _request: Request<GetModelInfoRequest>,
    ) -> Result<Response<GetModelInfoResponse>, Status> {
        Ok(Response::new(info::response(&*self.classifier()?, &self.server)))
    }
}
