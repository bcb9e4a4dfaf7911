//! A server whose answers a test writes.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use certimix::rpc::proto::mixed_classifier_server::{MixedClassifier, MixedClassifierServer};
use certimix::rpc::proto::predict_stream_response::Outcome;
use certimix::rpc::proto::{
    CertifyRequest, CertifyResponse, CertifyStreamResponse, GetModelInfoRequest, GetModelInfoResponse,
    GetShadowReportRequest, GetShadowReportResponse, PredictRequest, PredictResponse, PredictStreamRequest,
    PredictStreamResponse,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_types::{ErrorDetails, StatusExt as _};

/// What the server does.
#[derive(Clone, Default)]
pub struct Script {
    /// The refusals of the first calls of `GetModelInfo`.
    pub refusals: Vec<Status>,
    /// The answer of every Predict.
    pub predict: PredictResponse,
    /// The messages of every CertifyStream.
    pub certify_stream: Vec<CertifyStreamResponse>,
    /// The first streams end after one request, without an answer.
    pub ended_streams: usize,
}

/// A running server, and the times at which calls of `GetModelInfo` and requests of streams came.
pub struct ScriptedServer {
    pub address: String,
    pub times: Arc<Mutex<Vec<Instant>>>,
    task: tokio::task::JoinHandle<()>,
}

struct Service {
    script: Mutex<Script>,
    times: Arc<Mutex<Vec<Instant>>>,
}

impl ScriptedServer {
    pub fn start(script: Script) -> Self {
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = incoming.local_addr().unwrap().to_string();
        let times = Arc::default();
        let service = Service {
            script: Mutex::new(script),
            times: Arc::clone(&times),
        };
        let server = Server::builder().add_service(MixedClassifierServer::new(service));
        let task = tokio::spawn(async move { server.serve_with_incoming(incoming).await.unwrap() });
        Self { address, times, task }
    }

    pub fn calls(&self) -> usize {
        self.times.lock().unwrap().len()
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A refusal for lack of room, with the time to wait.
pub fn busy(pushback: Duration) -> Status {
    let details = ErrorDetails::with_retry_info(Some(pushback));
    Status::with_error_details(Code::ResourceExhausted, "full", details)
}

type Messages<T> = Pin<Box<dyn tokio_stream::Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl MixedClassifier for Service {
    type PredictStreamStream = Messages<PredictStreamResponse>;
    type CertifyStreamStream = Messages<CertifyStreamResponse>;

    async fn predict(&self, _: Request<PredictRequest>) -> Result<Response<PredictResponse>, Status> {
        Ok(Response::new(self.script.lock().unwrap().predict.clone()))
    }

    async fn predict_stream(
        &self,
        requests: Request<Streaming<PredictStreamRequest>>,
    ) -> Result<Response<Self::PredictStreamStream>, Status> {
        let mut requests = requests.into_inner();
        let (sender, responses) = mpsc::channel(1);
        let (ends, response) = {
            let mut script = self.script.lock().unwrap();
            let ends = script.ended_streams > 0;
            script.ended_streams = script.ended_streams.saturating_sub(1);
            (ends, script.predict.clone())
        };
        let times = Arc::clone(&self.times);
        tokio::spawn(async move {
            while let Ok(Some(request)) = requests.message().await {
                times.lock().unwrap().push(Instant::now());
                if ends {
                    return;
                }
                let answer = |correlation_id| PredictStreamResponse {
                    correlation_id,
                    outcome: Some(Outcome::Response(response.clone())),
                };
                // An answer to no request is no answer to this one.
                for id in [u64::MAX, request.correlation_id] {
                    if sender.send(Ok(answer(id))).await.is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(responses))))
    }

    async fn certify(&self, _: Request<CertifyRequest>) -> Result<Response<CertifyResponse>, Status> {
        let response = self.script.lock().unwrap().predict.clone();
        Ok(Response::new(CertifyResponse {
            predictions: response.predictions,
            ..Default::default()
        }))
    }

    async fn certify_stream(&self, _: Request<CertifyRequest>) -> Result<Response<Self::CertifyStreamStream>, Status> {
        let messages = self.script.lock().unwrap().certify_stream.clone();
        let messages = messages.into_iter().map(Ok).collect::<Vec<_>>();
        Ok(Response::new(Box::pin(tokio_stream::iter(messages))))
    }

    async fn get_model_info(&self, _: Request<GetModelInfoRequest>) -> Result<Response<GetModelInfoResponse>, Status> {
        self.times.lock().unwrap().push(Instant::now());
        let mut script = self.script.lock().unwrap();
        if !script.refusals.is_empty() {
            return Err(script.refusals.remove(0));
        }
        Ok(Response::new(GetModelInfoResponse {
            labels: vec!["left".to_owned()],
            ..Default::default()
        }))
    }

    async fn get_shadow_report(
        &self,
        _: Request<GetShadowReportRequest>,
    ) -> Result<Response<GetShadowReportResponse>, Status> {
        Err(Status::unimplemented("the tests do not need it"))
    }
}
