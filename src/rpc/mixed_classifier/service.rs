//! Implements the generated trait of `certimix.v1.MixedClassifier`.

use std::pin::Pin;

use futures_util::Stream;
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Request, Response, Status, Streaming};

use super::answer::{AnswerParts, check_answer, count_inputs};
use super::certification_params::ModelOutputsAllowed;
use super::certify::{certify_response, validate};
use super::certify_stream::CertifyStream;
use super::predict::predict_response;
use super::proto::mixed_classifier_server::MixedClassifier;
use super::proto::{
    CertifyRequest, CertifyResponse, CertifyStreamResponse, GetModelInfoRequest, GetModelInfoResponse,
    GetShadowReportRequest, GetShadowReportResponse, PredictRequest, PredictResponse, PredictStreamRequest,
    PredictStreamResponse,
};
use super::{model_info, predict_stream, shadow_report};
use crate::call::Rpc;
use crate::domain::Violations;
use crate::rpc::common::call_tracker::TrackedCall;
use crate::rpc::common::deadline::stream_deadline;
use crate::rpc::common::handler_context::HandlerContext;
use crate::rpc::common::status;

/// The handlers. Each one begins a tracked call and ends it with its result.
pub(in crate::rpc) struct MixedClassifierService {
    context: HandlerContext,
}

impl MixedClassifierService {
    pub(in crate::rpc) fn new(context: HandlerContext) -> Self {
        Self { context }
    }

    /// Checks the request of a CertifyStream.
    fn certify_stream_for(
        &self,
        request: Request<CertifyRequest>,
        call: &mut TrackedCall,
    ) -> Result<CertifyStream, Status> {
        let (snapshot, deadline) = self.context.snapshot_and_deadline(&request, call)?;
        let mut request = request.into_inner();
        count_inputs(request.inputs.as_mut(), call);
        // A stream certifies one input, so the limit on inputs is 1.
        let (params, mut inputs) = validate(&request, &snapshot.classifier, 1, ModelOutputsAllowed::No)?;
        let Some(input) = inputs.pop() else {
            return Err(status::invalid_argument(&Violations::one(
                "inputs",
                "expected one input",
            )));
        };
        let parts = AnswerParts {
            components: request.include_components,
            model_outputs: None,
        };
        check_answer(&snapshot, 1, parts, call)?;
        call.record_request(&snapshot.classifier, 1);
        Ok(CertifyStream {
            snapshot,
            input,
            params,
            deadline,
            include_components: request.include_components,
        })
    }
}

#[tonic::async_trait]
impl MixedClassifier for MixedClassifierService {
    async fn predict(&self, request: Request<PredictRequest>) -> Result<Response<PredictResponse>, Status> {
        let mut call = self.context.calls.begin(Rpc::Predict, &request);
        let result = match self.context.snapshot_and_deadline(&request, &call) {
            Ok((snapshot, deadline)) => predict_response(&snapshot, request.into_inner(), deadline, &mut call).await,
            Err(status) => Err(status),
        };
        call.end(result.map(Response::new))
    }

    type PredictStreamStream = Pin<Box<dyn Stream<Item = Result<PredictStreamResponse, Status>> + Send>>;

    async fn predict_stream(
        &self,
        request: Request<Streaming<PredictStreamRequest>>,
    ) -> Result<Response<Self::PredictStreamStream>, Status> {
        let call = self.context.calls.begin(Rpc::PredictStream, &request);
        let deadline = match stream_deadline(request.metadata(), call.received_at()) {
            Ok(deadline) => deadline,
            Err(violations) => return call.end(Err(status::invalid_argument(&violations))),
        };
        // A load balancer can open the stream at another replica as long as it has not begun here.
        if let Err(status) = self.context.snapshot() {
            return call.end(Err(status));
        }
        let mut metadata = MetadataMap::new();
        call.write_request_id(&mut metadata);
        let responses =
            predict_stream::responses(self.context.clone(), call.into_stream(), request.into_inner(), deadline);
        let responses: Self::PredictStreamStream = Box::pin(responses);
        Ok(Response::from_parts(metadata, responses, Extensions::default()))
    }

    async fn certify(&self, request: Request<CertifyRequest>) -> Result<Response<CertifyResponse>, Status> {
        let mut call = self.context.calls.begin(Rpc::Certify, &request);
        let result = match self.context.snapshot_and_deadline(&request, &call) {
            Ok((snapshot, deadline)) => certify_response(&snapshot, request.into_inner(), deadline, &mut call).await,
            Err(status) => Err(status),
        };
        call.end(result.map(Response::new))
    }

    type CertifyStreamStream = Pin<Box<dyn Stream<Item = Result<CertifyStreamResponse, Status>> + Send>>;

    async fn certify_stream(
        &self,
        request: Request<CertifyRequest>,
    ) -> Result<Response<Self::CertifyStreamStream>, Status> {
        let mut call = self.context.calls.begin(Rpc::CertifyStream, &request);
        let stream = match self.certify_stream_for(request, &mut call) {
            Ok(stream) => stream,
            Err(status) => return call.end(Err(status)),
        };
        let mut metadata = MetadataMap::new();
        call.write_request_id(&mut metadata);
        let responses: Self::CertifyStreamStream = Box::pin(stream.start(call));
        Ok(Response::from_parts(metadata, responses, Extensions::default()))
    }

    async fn get_model_info(
        &self,
        request: Request<GetModelInfoRequest>,
    ) -> Result<Response<GetModelInfoResponse>, Status> {
        let call = self.context.calls.begin(Rpc::GetModelInfo, &request);
        let result = self
            .context
            .live
            .load_with_status()
            .map(|(snapshot, status)| model_info::response(&snapshot, &status))
            .map_err(status::not_live);
        call.end(result.map(Response::new))
    }

    async fn get_shadow_report(
        &self,
        request: Request<GetShadowReportRequest>,
    ) -> Result<Response<GetShadowReportResponse>, Status> {
        let call = self.context.calls.begin(Rpc::GetShadowReport, &request);
        let result = self
            .context
            .snapshot()
            .map(|snapshot| shadow_report::response(&snapshot.classifier));
        call.end(result.map(Response::new))
    }
}
