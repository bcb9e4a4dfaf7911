//! Implements the generated trait of `inference.GRPCInferenceService`.

use std::sync::Arc;

use futures_util::stream::Empty;
use tonic::{Request, Response, Status, Streaming};

use super::model_infer::model_infer;
use super::proto::grpc_inference_service_server::GrpcInferenceService;
use super::proto::{
    ModelConfigRequest, ModelConfigResponse, ModelInferRequest, ModelInferResponse, ModelMetadataRequest,
    ModelMetadataResponse, ModelReadyRequest, ModelReadyResponse, ModelStatisticsRequest, ModelStatisticsResponse,
    ModelStreamInferResponse, ServerLiveRequest, ServerLiveResponse, ServerMetadataRequest, ServerMetadataResponse,
    ServerReadyRequest, ServerReadyResponse,
};
use super::protocol_constants::MODEL_VERSION;
use super::quoting::quoted;
use super::statistics::InferStatisticsRecorder;
use super::{metadata, model_config};
use crate::call::Rpc;
use crate::rpc::common::call_tracker::TrackedCall;
use crate::rpc::common::handler_context::HandlerContext;
use crate::rpc::common::status;
use crate::rpc::health::HealthReporter;

/// The handlers. Each one begins a tracked call and ends it with its result.
pub(in crate::rpc) struct OpenInferenceService {
    context: HandlerContext,
    health: HealthReporter,
    /// The model's name in this protocol, from the settings.
    model_name: String,
    statistics: Arc<InferStatisticsRecorder>,
}

impl OpenInferenceService {
    pub(in crate::rpc) fn new(context: HandlerContext, health: HealthReporter, model_name: String) -> Self {
        Self {
            context,
            health,
            model_name,
            statistics: Arc::default(),
        }
    }

    /// Checks that a request names the one model and its one version, or no version.
    fn check_model(&self, name: &str, version: &str) -> Result<(), Status> {
        let served = &self.model_name;
        if name != served {
            let found = quoted(name);
            return Err(status::unknown_model(format!(
                "unknown model {found}: expected \"{served}\""
            )));
        }
        if !["", MODEL_VERSION].contains(&version) {
            let found = quoted(version);
            return Err(status::unknown_model(format!(
                "unknown version {found} of \"{served}\": expected version \"{MODEL_VERSION}\""
            )));
        }
        Ok(())
    }

    /// Answers a ModelInfer and records it in the statistics. A request that fails before its model
    /// is known to be the one served is not recorded.
    async fn infer_with_statistics(
        &self,
        request: Request<ModelInferRequest>,
        call: &mut TrackedCall,
    ) -> Result<ModelInferResponse, Status> {
        let (snapshot, deadline) = self.context.snapshot_and_deadline(&request, call)?;
        let request = request.into_inner();
        self.check_model(&request.model_name, &request.model_version)?;
        match model_infer(&snapshot, request, deadline, call).await {
            Ok(result) => {
                self.statistics.record_success(result.inputs, result.durations);
                Ok(result.response)
            }
            Err(status) => {
                self.statistics.record_failure(call.received_at().elapsed());
                Err(status)
            }
        }
    }

    /// Tracks a call that runs no model.
    fn track<A, T>(
        &self,
        request: Request<A>,
        respond: impl FnOnce(A) -> Result<T, Status>,
    ) -> Result<Response<T>, Status> {
        let call = self.context.calls.begin(Rpc::OpenInference, &request);
        call.end(respond(request.into_inner()).map(Response::new))
    }
}

#[tonic::async_trait]
impl GrpcInferenceService for OpenInferenceService {
    async fn server_live(&self, request: Request<ServerLiveRequest>) -> Result<Response<ServerLiveResponse>, Status> {
        self.track(request, |_| Ok(ServerLiveResponse { live: true }))
    }

    async fn server_ready(
        &self,
        request: Request<ServerReadyRequest>,
    ) -> Result<Response<ServerReadyResponse>, Status> {
        let ready = self.health.is_serving();
        self.track(request, |_| Ok(ServerReadyResponse { ready }))
    }

    async fn model_ready(&self, request: Request<ModelReadyRequest>) -> Result<Response<ModelReadyResponse>, Status> {
        self.track(request, |request| {
            self.check_model(&request.name, &request.version)?;
            let ready = self.health.is_serving();
            Ok(ModelReadyResponse { ready })
        })
    }

    async fn server_metadata(
        &self,
        request: Request<ServerMetadataRequest>,
    ) -> Result<Response<ServerMetadataResponse>, Status> {
        self.track(request, |_| Ok(metadata::server_metadata()))
    }

    async fn model_metadata(
        &self,
        request: Request<ModelMetadataRequest>,
    ) -> Result<Response<ModelMetadataResponse>, Status> {
        self.track(request, |request| {
            self.check_model(&request.name, &request.version)?;
            Ok(metadata::model_metadata(
                &self.model_name,
                &self.context.snapshot()?.classifier,
            ))
        })
    }

    async fn model_infer(&self, request: Request<ModelInferRequest>) -> Result<Response<ModelInferResponse>, Status> {
        let mut call = self.context.calls.begin(Rpc::ModelInfer, &request);
        let result = self.infer_with_statistics(request, &mut call).await;
        call.end(result.map(Response::new))
    }

    type ModelStreamInferStream = Empty<Result<ModelStreamInferResponse, Status>>;

    async fn model_stream_infer(
        &self,
        request: Request<Streaming<ModelInferRequest>>,
    ) -> Result<Response<Self::ModelStreamInferStream>, Status> {
        self.track(request, |_| {
            Err(status::unimplemented(
                "ModelStreamInfer is not implemented: call ModelInfer, or certimix.v1.MixedClassifier.PredictStream",
            ))
        })
    }

    async fn model_config(
        &self,
        request: Request<ModelConfigRequest>,
    ) -> Result<Response<ModelConfigResponse>, Status> {
        self.track(request, |request| {
            self.check_model(&request.name, &request.version)?;
            let snapshot = self.context.snapshot()?;
            let config = model_config::model_config(&self.model_name, &snapshot);
            Ok(ModelConfigResponse { config: Some(config) })
        })
    }

    async fn model_statistics(
        &self,
        request: Request<ModelStatisticsRequest>,
    ) -> Result<Response<ModelStatisticsResponse>, Status> {
        self.track(request, |request| {
            // An empty name means every model.
            let name = if request.name.is_empty() {
                &self.model_name
            } else {
                &request.name
            };
            self.check_model(name, &request.version)?;
            let model_stats = vec![self.statistics.model_statistics(&self.model_name)];
            Ok(ModelStatisticsResponse { model_stats })
        })
    }
}
