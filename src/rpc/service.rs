//! The handlers of `certimix.v1.MixedClassifier`: read, ask the classifier, write.

use std::pin::Pin;

use futures_util::Stream;
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Request, Response, Status, Streaming};
use tracing::Instrument as _;

use super::answering::{Service, answer, checked};
use super::call::Call;
use super::proto::mixed_classifier_server::MixedClassifier;
use super::proto::{
    CertifyRequest, CertifyResponse, CertifyStreamResponse, GetModelInfoRequest, GetModelInfoResponse, PredictRequest,
    PredictResponse, PredictStreamRequest, PredictStreamResponse,
};
use super::{deadline, encode, info, predict_stream, status, stream};
use crate::telemetry::call::Rpc;

#[tonic::async_trait]
impl MixedClassifier for Service {
    async fn predict(&self, request: Request<PredictRequest>) -> Result<Response<PredictResponse>, Status> {
        let mut call = self.calls.begin(Rpc::Predict, request.metadata());
        let answer = match self.deadline(&request, &call) {
            Ok(deadline) => self.answer_predict(request.into_inner(), deadline, &mut call).await,
            Err(status) => Err(status),
        };
        call.end(answer.map(Response::new))
    }

    type PredictStreamStream = Pin<Box<dyn Stream<Item = Result<PredictStreamResponse, Status>> + Send>>;

    async fn predict_stream(
        &self,
        request: Request<Streaming<PredictStreamRequest>>,
    ) -> Result<Response<Self::PredictStreamStream>, Status> {
        let call = self.calls.begin(Rpc::PredictStream, request.metadata());
        let deadline = match deadline::of_stream(request.metadata(), call.begun()) {
            Ok(deadline) => deadline,
            Err(wrong) => return call.end(Err(status::invalid(&wrong))),
        };
        let mut named = MetadataMap::new();
        call.name_in(&mut named);
        let answers = predict_stream::answers(self.clone(), call.into_stream(), request.into_inner(), deadline);
        let answers: Self::PredictStreamStream = Box::pin(answers);
        Ok(Response::from_parts(named, answers, Extensions::default()))
    }

    async fn certify(&self, request: Request<CertifyRequest>) -> Result<Response<CertifyResponse>, Status> {
        let mut call = self.calls.begin(Rpc::Certify, request.metadata());
        let answer = self.answer_certify(request, &mut call).await;
        call.end(answer.map(Response::new))
    }

    type CertifyStreamStream = Pin<Box<dyn Stream<Item = Result<CertifyStreamResponse, Status>> + Send>>;

    async fn certify_stream(
        &self,
        request: Request<CertifyRequest>,
    ) -> Result<Response<Self::CertifyStreamStream>, Status> {
        let mut call = self.calls.begin(Rpc::CertifyStream, request.metadata());
        let growing = match self.growing(request, &mut call) {
            Ok(growing) => growing,
            Err(status) => return call.end(Err(status)),
        };
        let mut named = MetadataMap::new();
        call.name_in(&mut named);
        let answers: Self::CertifyStreamStream = Box::pin(growing.start(call));
        Ok(Response::from_parts(named, answers, Extensions::default()))
    }

    async fn get_model_info(
        &self,
        request: Request<GetModelInfoRequest>,
    ) -> Result<Response<GetModelInfoResponse>, Status> {
        let call = self.calls.begin(Rpc::GetModelInfo, request.metadata());
        let answer = self
            .classifier()
            .map(|classifier| info::response(&classifier, &self.server));
        call.end(answer.map(Response::new))
    }
}

impl Service {
    async fn answer_certify(
        &self,
        request: Request<CertifyRequest>,
        call: &mut Call,
    ) -> Result<CertifyResponse, Status> {
        let deadline = self.deadline(&request, call)?;
        let classifier = self.classifier()?;
        let request = request.into_inner();
        let (order, inputs) = checked(&request, &classifier, self.server.max_inputs)?;
        call.asks(&classifier, inputs.len());
        let span = tracing::debug_span!("certify", inputs = inputs.len());
        let predictions = answer(&classifier, inputs, order, deadline, request.include_components, call)
            .instrument(span)
            .await?;
        let provenance = Some(encode::provenance(classifier.provenance()));
        Ok(CertifyResponse {
            predictions,
            provenance,
        })
    }

    fn growing(&self, request: Request<CertifyRequest>, call: &mut Call) -> Result<stream::Growing, Status> {
        let deadline = self.deadline(&request, call)?;
        let classifier = self.classifier()?;
        let request = request.into_inner();
        // One input a stream: the limit of the request is 1 here.
        let (order, mut inputs) = checked(&request, &classifier, 1)?;
        let Some(input) = inputs.pop() else {
            return Err(Status::invalid_argument("inputs: expected one"));
        };
        call.asks(&classifier, 1);
        Ok(stream::Growing {
            classifier,
            input,
            order,
            deadline,
            components: request.include_components,
        })
    }
}
