//! The handlers of `certimix.v1.MixedClassifier`: read, ask the classifier, write.

use std::pin::Pin;
use std::time::Instant;

use futures_util::Stream;
use tonic::{Request, Response, Status, Streaming};
use tracing::Instrument as _;

use super::answering::{Service, answer, answer_predict, checked, deadline};
use super::deadline::of_stream as deadline_of_stream;
use super::proto::mixed_classifier_server::MixedClassifier as Rpc;
use super::proto::{
    CertifyRequest, CertifyResponse, CertifyStreamResponse, GetModelInfoRequest, GetModelInfoResponse,
    GetShadowReportRequest, GetShadowReportResponse, PredictRequest, PredictResponse, PredictStreamRequest,
    PredictStreamResponse,
};
use super::{encode, info, predict_stream, shadow, status, stream};

#[tonic::async_trait]
impl Rpc for Service {
    async fn predict(&self, request: Request<PredictRequest>) -> Result<Response<PredictResponse>, Status> {
        let snapshot = self.snapshot()?;
        let deadline = deadline(&request, &snapshot.server)?;
        answer_predict(&snapshot, request.into_inner(), deadline)
            .await
            .map(Response::new)
    }

    type PredictStreamStream = Pin<Box<dyn Stream<Item = Result<PredictStreamResponse, Status>> + Send>>;

    async fn predict_stream(
        &self,
        request: Request<Streaming<PredictStreamRequest>>,
    ) -> Result<Response<Self::PredictStreamStream>, Status> {
        let deadline =
            deadline_of_stream(request.metadata(), Instant::now()).map_err(|wrong| status::invalid(&wrong))?;
        let answers = predict_stream::answers(self.clone(), request.into_inner(), deadline);
        Ok(Response::new(Box::pin(answers)))
    }

    async fn certify(&self, request: Request<CertifyRequest>) -> Result<Response<CertifyResponse>, Status> {
        let snapshot = self.snapshot()?;
        let deadline = deadline(&request, &snapshot.server)?;
        let classifier = &snapshot.classifier;
        let request = request.into_inner();
        let (order, inputs) = checked(&request, classifier, snapshot.server.max_inputs)?;
        let span = tracing::debug_span!("certify", inputs = inputs.len());
        let predictions = answer(classifier, inputs, order, deadline, request.include_components)
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
        let snapshot = self.snapshot()?;
        let deadline = deadline(&request, &snapshot.server)?;
        let request = request.into_inner();
        // One input a stream: the limit of the request is 1 here.
        let (order, mut inputs) = checked(&request, &snapshot.classifier, 1)?;
        let Some(input) = inputs.pop() else {
            return Err(Status::invalid_argument("inputs: expected one"));
        };
        let growing = stream::Growing {
            snapshot,
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
        Ok(Response::new(info::response(&*self.snapshot()?, &self.live.status())))
    }

    async fn get_shadow_report(
        &self,
        _request: Request<GetShadowReportRequest>,
    ) -> Result<Response<GetShadowReportResponse>, Status> {
        Ok(Response::new(shadow::response(&self.snapshot()?.classifier)))
    }
}
