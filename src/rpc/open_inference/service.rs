//! The handlers of `inference.GRPCInferenceService`.

use std::sync::Arc;

use futures_util::stream::Empty;
use tonic::{Request, Response, Status, Streaming};

use super::proto::grpc_inference_service_server::GrpcInferenceService;
use super::proto::{
    ModelConfigRequest, ModelConfigResponse, ModelInferRequest, ModelInferResponse, ModelMetadataRequest,
    ModelMetadataResponse, ModelReadyRequest, ModelReadyResponse, ModelStatisticsRequest, ModelStatisticsResponse,
    ModelStreamInferResponse, ServerLiveRequest, ServerLiveResponse, ServerMetadataRequest, ServerMetadataResponse,
    ServerReadyRequest, ServerReadyResponse,
};
use super::quoting::quoted;
use super::statistics::Statistics;
use super::{VERSION, metadata, model_config, model_infer as infer};
use crate::call::Rpc;
use crate::rpc::common::call_tracker::Call;
use crate::rpc::common::classify::{Service, deadline};
use crate::rpc::common::status;
use crate::rpc::health::Health;

/// Answers by this protocol what [`Service`] answers by ours.
pub(in crate::rpc) struct OpenInference {
    service: Service,
    health: Health,
    /// What callers call the model.
    name: String,
    statistics: Arc<Statistics>,
}

impl OpenInference {
    pub(in crate::rpc) fn new(service: Service, health: Health, name: String) -> Self {
        Self {
            service,
            health,
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

    async fn answer_infer(
        &self,
        request: Request<ModelInferRequest>,
        call: &mut Call,
    ) -> Result<ModelInferResponse, Status> {
        let snapshot = self.service.snapshot()?;
        let deadline = deadline(&request, &snapshot.server, call)?;
        let request = request.into_inner();
        self.check_model(&request.model_name, &request.model_version)?;
        match infer::answer(&snapshot, request, deadline, call).await {
            Ok(answered) => {
                self.statistics.answered(answered.inputs, answered.spent);
                Ok(answered.response)
            }
            Err(status) => {
                self.statistics.failed(call.begun().elapsed());
                Err(status)
            }
        }
    }

    /// A call that asks no model: recorded, and answered at once.
    fn told<A, T>(
        &self,
        request: Request<A>,
        tell: impl FnOnce(A) -> Result<T, Status>,
    ) -> Result<Response<T>, Status> {
        let call = self.service.calls.begin(Rpc::OpenInference, request.metadata());
        call.end(tell(request.into_inner()).map(Response::new))
    }
}

#[tonic::async_trait]
impl GrpcInferenceService for OpenInference {
    async fn server_live(&self, request: Request<ServerLiveRequest>) -> Result<Response<ServerLiveResponse>, Status> {
        self.told(request, |_| Ok(ServerLiveResponse { live: true }))
    }

    async fn server_ready(
        &self,
        request: Request<ServerReadyRequest>,
    ) -> Result<Response<ServerReadyResponse>, Status> {
        let ready = self.health.is_serving();
        self.told(request, |_| Ok(ServerReadyResponse { ready }))
    }

    async fn model_ready(&self, request: Request<ModelReadyRequest>) -> Result<Response<ModelReadyResponse>, Status> {
        self.told(request, |asked| {
            self.check_model(&asked.name, &asked.version)?;
            let ready = self.health.is_serving();
            Ok(ModelReadyResponse { ready })
        })
    }

    async fn server_metadata(
        &self,
        request: Request<ServerMetadataRequest>,
    ) -> Result<Response<ServerMetadataResponse>, Status> {
        self.told(request, |_| Ok(metadata::server()))
    }

    async fn model_metadata(
        &self,
        request: Request<ModelMetadataRequest>,
    ) -> Result<Response<ModelMetadataResponse>, Status> {
        self.told(request, |asked| {
            self.check_model(&asked.name, &asked.version)?;
            Ok(metadata::model(&self.name, &self.service.snapshot()?.classifier))
        })
    }

    async fn model_infer(&self, request: Request<ModelInferRequest>) -> Result<Response<ModelInferResponse>, Status> {
        let mut call = self.service.calls.begin(Rpc::ModelInfer, request.metadata());
        let answer = self.answer_infer(request, &mut call).await;
        call.end(answer.map(Response::new))
    }

    type ModelStreamInferStream = Empty<Result<ModelStreamInferResponse, Status>>;

    async fn model_stream_infer(
        &self,
        request: Request<Streaming<ModelInferRequest>>,
    ) -> Result<Response<Self::ModelStreamInferStream>, Status> {
        self.told(request, |_| {
            Err(status::unimplemented(
                "ModelStreamInfer is not offered: call ModelInfer, or certimix.v1.MixedClassifier.PredictStream",
            ))
        })
    }

    async fn model_config(
        &self,
        request: Request<ModelConfigRequest>,
    ) -> Result<Response<ModelConfigResponse>, Status> {
        self.told(request, |asked| {
            self.check_model(&asked.name, &asked.version)?;
            let snapshot = self.service.snapshot()?;
            let config = model_config::of(&self.name, &snapshot.classifier, snapshot.server.max_inputs);
            Ok(ModelConfigResponse { config: Some(config) })
        })
    }

    async fn model_statistics(
        &self,
        request: Request<ModelStatisticsRequest>,
    ) -> Result<Response<ModelStatisticsResponse>, Status> {
        self.told(request, |asked| {
            // No name asks for every model.
            let name = if asked.name.is_empty() { &self.name } else { &asked.name };
            self.check_model(name, &asked.version)?;
            let model_stats = vec![self.statistics.told(&self.name)];
            Ok(ModelStatisticsResponse { model_stats })
        })
    }
}
