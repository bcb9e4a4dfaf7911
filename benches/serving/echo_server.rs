//! The lower limit of a server of this service: it decodes a request of Predict or PredictStream and
//! returns a fixed response of the same size as the real one. Its throughput is the limit of tonic and
//! tokio.

use std::path::Path;
use std::pin::Pin;

use certimix::rpc::proto::mixed_classifier_server::{MixedClassifier, MixedClassifierServer};
use certimix::rpc::proto::predict_stream_response::Outcome;
use certimix::rpc::proto::{
    CertifyRequest, CertifyResponse, CertifyStreamResponse, GetModelInfoRequest, GetModelInfoResponse,
    GetShadowReportRequest, GetShadowReportResponse, PredictRequest, PredictResponse, PredictStreamRequest,
    PredictStreamResponse,
};
use prost::Message as _;
use tokio::net::TcpListener;
use tokio_stream::{Stream, StreamExt as _};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

use crate::console::print_line;
use crate::server_process::READY_PREFIX;

struct EchoService {
    response: PredictResponse,
}

fn unimplemented<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented(
        "this server only answers Predict and PredictStream",
    ))
}

#[tonic::async_trait]
impl MixedClassifier for EchoService {
    async fn predict(&self, _request: Request<PredictRequest>) -> Result<Response<PredictResponse>, Status> {
        Ok(Response::new(self.response.clone()))
    }

    async fn certify(&self, _request: Request<CertifyRequest>) -> Result<Response<CertifyResponse>, Status> {
        unimplemented()
    }

    type CertifyStreamStream = tokio_stream::Empty<Result<CertifyStreamResponse, Status>>;

    async fn certify_stream(
        &self,
        _request: Request<CertifyRequest>,
    ) -> Result<Response<Self::CertifyStreamStream>, Status> {
        unimplemented()
    }

    type PredictStreamStream = Pin<Box<dyn Stream<Item = Result<PredictStreamResponse, Status>> + Send>>;

    async fn predict_stream(
        &self,
        request: Request<Streaming<PredictStreamRequest>>,
    ) -> Result<Response<Self::PredictStreamStream>, Status> {
        let response = self.response.clone();
        let answers = request.into_inner().map(move |message| {
            Ok(PredictStreamResponse {
                correlation_id: message?.correlation_id,
                outcome: Some(Outcome::Response(response.clone())),
            })
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn get_model_info(
        &self,
        _request: Request<GetModelInfoRequest>,
    ) -> Result<Response<GetModelInfoResponse>, Status> {
        unimplemented()
    }

    async fn get_shadow_report(
        &self,
        _request: Request<GetShadowReportRequest>,
    ) -> Result<Response<GetShadowReportResponse>, Status> {
        unimplemented()
    }
}

/// Serves the response in the file `response` until the process is killed.
///
/// The runtime is the one that `certimix serve` uses on so few processors (`server.threads`).
pub fn serve(response: &Path) -> anyhow::Result<()> {
    let response = PredictResponse::decode(std::fs::read(response)?.as_slice())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        print_line(&format!("{READY_PREFIX}{}, an echo", listener.local_addr()?));
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        Server::builder()
            .max_concurrent_streams(1024)
            .add_service(MixedClassifierServer::new(EchoService { response }))
            .serve_with_incoming(incoming)
            .await?;
        Ok(())
    })
}
