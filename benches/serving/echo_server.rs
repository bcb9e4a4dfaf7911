//! The least that a server of this service can do: decode the request, and answer Predict at once with a response of the
//! same size as the real one's. What it reaches is what tonic and tokio leave.

use std::path::Path;

use certimix::rpc::proto::mixed_classifier_server::{MixedClassifier, MixedClassifierServer};
use certimix::rpc::proto::{
    CertifyRequest, CertifyResponse, CertifyStreamResponse, GetModelInfoRequest, GetModelInfoResponse,
    GetShadowReportRequest, GetShadowReportResponse, PredictRequest, PredictResponse, PredictStreamRequest,
    PredictStreamResponse,
};
use prost::Message as _;
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

use crate::server_process::READY;

struct Echo {
    answer: PredictResponse,
}

fn not_here<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("this server only answers Predict"))
}

#[tonic::async_trait]
impl MixedClassifier for Echo {
    async fn predict(&self, _request: Request<PredictRequest>) -> Result<Response<PredictResponse>, Status> {
        Ok(Response::new(self.answer.clone()))
    }

    async fn certify(&self, _request: Request<CertifyRequest>) -> Result<Response<CertifyResponse>, Status> {
        not_here()
    }

    type CertifyStreamStream = tokio_stream::Empty<Result<CertifyStreamResponse, Status>>;

    async fn certify_stream(
        &self,
        _request: Request<CertifyRequest>,
    ) -> Result<Response<Self::CertifyStreamStream>, Status> {
        not_here()
    }

    type PredictStreamStream = tokio_stream::Empty<Result<PredictStreamResponse, Status>>;

    async fn predict_stream(
        &self,
        _request: Request<Streaming<PredictStreamRequest>>,
    ) -> Result<Response<Self::PredictStreamStream>, Status> {
        not_here()
    }

    async fn get_model_info(
        &self,
        _request: Request<GetModelInfoRequest>,
    ) -> Result<Response<GetModelInfoResponse>, Status> {
        not_here()
    }

    async fn get_shadow_report(
        &self,
        _request: Request<GetShadowReportRequest>,
    ) -> Result<Response<GetShadowReportResponse>, Status> {
        not_here()
    }
}

/// Serves until it is killed, on the kind of runtime that `certimix serve` has on so few processors (server.threads).
pub fn serve(answer: &Path) -> anyhow::Result<()> {
    let answer = PredictResponse::decode(std::fs::read(answer)?.as_slice())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        super::note(&format!("{READY}{}, an echo", listener.local_addr()?));
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        Server::builder()
            .max_concurrent_streams(1024)
            .add_service(MixedClassifierServer::new(Echo { answer }))
            .serve_with_incoming(incoming)
            .await?;
        Ok(())
    })
}
