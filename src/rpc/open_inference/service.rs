//! The handlers of `inference.GRPCInferenceService`.

use std::sync::Arc;
use std::time::Instant;

use futures_util::stream::Empty;
use tonic::{Request, Response, Status, Streaming};

use super::proto::grpc_inference_service_server::GrpcInferenceService as Rpc;
use super::proto::{
    ModelConfigRequest, ModelConfigResponse, ModelInferRequest, ModelInferResponse, ModelMetadataRequest,
    ModelMetadataResponse, ModelReadyRequest, ModelReadyResponse, ModelStatisticsRequest, ModelStatisticsResponse,
    ModelStreamInferResponse, ServerLiveRequest, ServerLiveResponse, ServerMetadataRequest, ServerMetadataResponse,
    ServerReadyRequest, ServerReadyResponse,
};
use super::statistics::Statistics;
use super::words::quoted;
use super::{VERSION, infer, metadata, model_config};
use crate::rpc::answering::Service;
use crate::rpc::readiness::Readiness;
use crate::rpc::status;

pub use super::proto::grpc_inference_service_server::SERVICE_NAME;

/// Answers by this protocol what [`Service`] answers by ours.
pub(in crate::rpc) struct OpenInference {
    service: Service,
    readiness: Readiness,
    /// What callers call the model.
    name: String,
    statistics: Arc<Statistics>,
}

impl OpenInference {
    pub(in crate::rpc) fn new(service: Service, readiness: Readiness, name: String) -> Self {
        Self {
            service,
            readiness,
            name,
            statistics: Arc::default(),
        }
    }

    /// Whether the one model there is is meant.
    fn check_model(&self, name: &str, version: &str) -> Result<(), Status> {
        let served = &self.name;
        if name != served {
            let found = quoted(name);
            return Err(status::unknown_model(format!(
                "unknown model {found}: the model served here is \"{served}\""
            )));
        }
        if !["", VERSION].contains(&version) {
            let found = quoted(version);
            return Err(status::unknown_model(format!(
                "unknown version {found} of \"{served}\": there is version \"{VERSION}\" alone"
            )));
        }
        Ok(())
    }
}

#[tonic::async_trait]
impl Rpc for OpenInference {
    async fn server_live(&self, _: Request<ServerLiveRequest>) -> Result<Response<ServerLiveResponse>, Status> {
        Ok(Response::new(ServerLiveResponse { live: true }))
    }

    async fn server_ready(&self, _: Request<ServerReadyRequest>) -> Result<Response<ServerReadyResponse>, Status> {
        let ready = self.readiness.get();
        Ok(Response::new(ServerReadyResponse { ready }))
    }

    async fn model_ready(&self, request: Request<ModelReadyRequest>) -> Result<Response<ModelReadyResponse>, Status> {
        let asked = request.into_inner();
        self.check_model(&asked.name, &asked.version)?;
        let ready = self.readiness.get();
        Ok(Response::new(ModelReadyResponse { ready }))
    }

    async fn server_metadata(
        &self,
        _: Request<ServerMetadataRequest>,
    ) -> Result<Response<ServerMetadataResponse>, Status> {
        Ok(Response::new(metadata::server()))
    }

    async fn model_metadata(
        &self,
        request: Request<ModelMetadataRequest>,
    ) -> Result<Response<ModelMetadataResponse>, Status> {
        let asked = request.into_inner();
        self.check_model(&asked.name, &asked.version)?;
        let classifier = self.service.classifier()?;
        Ok(Response::new(metadata::model(&self.name, &classifier)))
    }

    async fn model_infer(&self, request: Request<ModelInferRequest>) -> Result<Response<ModelInferResponse>, Status> {
        let received = Instant::now();
        let deadline = self.service.deadline(&request)?;
        let request = request.into_inner();
        self.check_model(&request.model_name, &request.model_version)?;
        match infer::answer(&self.service, request, received, deadline).await {
            Ok(answered) => {
                self.statistics.answered(answered.inputs, answered.spent);
                Ok(Response::new(answered.response))
            }
            Err(status) => {
                self.statistics.failed(received.elapsed());
                Err(status)
            }
        }
    }

    type ModelStreamInferStream = Empty<Result<ModelStreamInferResponse, Status>>;

    async fn model_stream_infer(
        &self,
        _: Request<Streaming<ModelInferRequest>>,
    ) -> Result<Response<Self::ModelStreamInferStream>, Status> {
        Err(status::unimplemented(
            "ModelStreamInfer is not offered: call ModelInfer, or certimix.v1.MixedClassifier.PredictStream",
        ))
    }

    async fn model_config(
        &self,
        request: Request<ModelConfigRequest>,
    ) -> Result<Response<ModelConfigResponse>, Status> {
        let asked = request.into_inner();
        self.check_model(&asked.name, &asked.version)?;
        let classifier = self.service.classifier()?;
        let config = model_config::of(&self.name, &classifier, self.service.server.max_inputs);
        Ok(Response::new(ModelConfigResponse { config: Some(config) }))
    }

    async fn model_statistics(
        &self,
        request: Request<ModelStatisticsRequest>,
    ) -> Result<Response<ModelStatisticsResponse>, Status> {
        let asked = request.into_inner();
        // No name asks for every model.
        let name = if asked.name.is_empty() { &self.name } else { &asked.name };
        self.check_model(name, &asked.version)?;
        let model_stats = vec![self.statistics.told(&self.name)];
        Ok(Response::new(ModelStatisticsResponse { model_stats }))
    }
}
