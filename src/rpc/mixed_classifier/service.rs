//! The handlers of `certimix.v1.MixedClassifier`: read, ask the classifier, write.

use std::pin::Pin;

use futures_util::Stream;
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Request, Response, Status, Streaming};
use tracing::Instrument as _;

use super::proto::mixed_classifier_server::MixedClassifier;
use super::proto::{
    CertifyRequest, CertifyResponse, CertifyStreamResponse, GetModelInfoRequest, GetModelInfoResponse,
    GetShadowReportRequest, GetShadowReportResponse, PredictRequest, PredictResponse, PredictStreamRequest,
    PredictStreamResponse,
};
use super::{certify_stream as stream, encode, model_info as info, predict_stream, shadow_report as shadow};
use crate::call::Rpc;
use crate::rpc::common::call_tracker::Call;
use crate::rpc::common::classify::{Service, answer, answer_predict, checked, deadline};
use crate::rpc::common::deadline::of_stream as deadline_of_stream;
use crate::rpc::common::status;

#[tonic::async_trait]
impl MixedClassifier for Service {
    async fn predict(&self, request: Request<PredictRequest>) -> Result<Response<PredictResponse>, Status> {
        let mut call = self.calls.begin(Rpc::Predict, request.metadata());
        let answer = self.answer_unary_predict(request, &mut call).await;
        call.end(answer.map(Response::new))
    }

    type PredictStreamStream = Pin<Box<dyn Stream<Item = Result<PredictStreamResponse, Status>> + Send>>;

    async fn predict_stream(
        &self,
        request: Request<Streaming<PredictStreamRequest>>,
    ) -> Result<Response<Self::PredictStreamStream>, Status> {
        let call = self.calls.begin(Rpc::PredictStream, request.metadata());
        let deadline = match deadline_of_stream(request.metadata(), call.begun()) {
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
            .live
            .load_with_status()
            .map(|(snapshot, status)| info::response(&snapshot, &status))
            .map_err(status::not_live);
        call.end(answer.map(Response::new))
    }

    async fn get_shadow_report(
        &self,
        request: Request<GetShadowReportRequest>,
    ) -> Result<Response<GetShadowReportResponse>, Status> {
        let call = self.calls.begin(Rpc::GetShadowReport, request.metadata());
        let answer = self.snapshot().map(|snapshot| shadow::response(&snapshot.classifier));
        call.end(answer.map(Response::new))
    }
}

impl Service {
    async fn answer_unary_predict(
        &self,
        request: Request<PredictRequest>,
        call: &mut Call,
    ) -> Result<PredictResponse, Status> {
        let snapshot = self.snapshot()?;
        let deadline = deadline(&request, &snapshot.server, call)?;
        answer_predict(&snapshot, request.into_inner(), deadline, call).await
    }

    async fn answer_certify(
        &self,
        request: Request<CertifyRequest>,
        call: &mut Call,
    ) -> Result<CertifyResponse, Status> {
        let snapshot = self.snapshot()?;
        let deadline = deadline(&request, &snapshot.server, call)?;
        let classifier = &snapshot.classifier;
        let request = request.into_inner();
        let (order, inputs) = checked(&request, classifier, snapshot.server.max_inputs)?;
        call.asks(classifier, inputs.len());
        let span = tracing::debug_span!("certify", inputs = inputs.len());
        let predictions = answer(classifier, inputs, order, deadline, request.include_components, call)
            .instrument(span)
            .await?;
        let provenance = Some(encode::provenance(classifier.provenance()));
        Ok(CertifyResponse {
            predictions,
            provenance,
        })
    }

    fn growing(&self, request: Request<CertifyRequest>, call: &mut Call) -> Result<stream::Growing, Status> {
        let snapshot = self.snapshot()?;
        let deadline = deadline(&request, &snapshot.server, call)?;
        let request = request.into_inner();
        // One input a stream: the limit of the request is 1 here.
        let (order, mut inputs) = checked(&request, &snapshot.classifier, 1)?;
        let Some(input) = inputs.pop() else {
            return Err(Status::invalid_argument("inputs: expected one"));
        };
        call.asks(&snapshot.classifier, 1);
        Ok(stream::Growing {
            snapshot,
            input,
            order,
            deadline,
            components: request.include_components,
        })
    }
}
