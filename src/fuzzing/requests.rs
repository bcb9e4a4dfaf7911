//! Any messages to every method of a server with models.

use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio_stream::StreamExt as _;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request, Status};

use super::answers::check_answer;
use super::model_server::ModelServer;
use super::raw_codec::RawCodec;

/// The methods, by their number in an input.
pub(super) const METHODS: [&str; 18] = [
    "/certimix.v1.MixedClassifier/Predict",
    "/certimix.v1.MixedClassifier/Certify",
    "/certimix.v1.MixedClassifier/CertifyStream",
    "/certimix.v1.MixedClassifier/PredictStream",
    "/certimix.v1.MixedClassifier/GetModelInfo",
    "/certimix.v1.MixedClassifier/GetShadowReport",
    "/inference.GRPCInferenceService/ModelInfer",
    "/inference.GRPCInferenceService/ModelStreamInfer",
    "/inference.GRPCInferenceService/ModelReady",
    "/inference.GRPCInferenceService/ModelMetadata",
    "/inference.GRPCInferenceService/ModelConfig",
    "/inference.GRPCInferenceService/ModelStatistics",
    "/inference.GRPCInferenceService/ServerReady",
    "/inference.GRPCInferenceService/ServerMetadata",
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// The number of the bit that selects the smoothed model, and of those that select the messages.
const SMOOTHED: u8 = 0x80;
const COPIES_SHIFT: u8 = 5;

/// The most messages that are read of one answer. A health watch has no end.
const MAX_ANSWERS: usize = 16;

/// The time limit of a call, far above `server.max_request_time`.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// The time for the first message of a health watch, which stays open.
const WATCH_TIME: Duration = Duration::from_millis(5);

/// A Lipschitz model, and a smoothed one.
static SERVERS: LazyLock<Mutex<[ModelServer; 2]>> = LazyLock::new(|| {
    Mutex::new([
        ModelServer::start("linear_g", "linear_h"),
        ModelServer::start("linear_g", "two_borders"),
    ])
});

/// Sends the bytes after the first as a message. The first byte selects the model, the number of
/// copies of a stream, and the method.
///
/// Every call ends, no error is the server's, and every answer is consistent.
pub(super) fn requests(data: &[u8]) {
    if let Err(status) = send(data) {
        let is_ours = matches!(status.code(), Code::Internal | Code::Unknown | Code::DataLoss);
        assert!(!is_ours, "{status:?}");
    }
}

/// Sends a message as [`requests`] does, and returns the number of answers.
///
/// # Errors
/// The status of the call.
pub(super) fn send(data: &[u8]) -> Result<usize, Status> {
    let Some((&options, message)) = data.split_first() else {
        return Ok(0);
    };
    let method = METHODS[usize::from(options & 0x1f) % METHODS.len()];
    let copies = usize::from((options & !SMOOTHED) >> COPIES_SHIFT) + 1;
    let servers = SERVERS.lock().unwrap_or_else(PoisonError::into_inner);
    let server = &servers[usize::from(options & SMOOTHED != 0)];
    let messages = vec![Bytes::copy_from_slice(message); copies];
    let called = call(server, method, messages);
    let called = async { tokio::time::timeout(CALL_TIMEOUT, called).await };
    match server.runtime.block_on(called) {
        Ok(called) => called,
        Err(_) => panic!("{method} does not end"),
    }
}

async fn call(server: &ModelServer, method: &'static str, messages: Vec<Bytes>) -> Result<usize, Status> {
    let mut client = Grpc::new(server.channel.clone());
    client
        .ready()
        .await
        .map_err(|error| Status::unavailable(error.to_string()))?;
    let is_watch = method.ends_with("/Watch");
    let request = Request::new(tokio_stream::iter(messages.clone()));
    let response = client
        .streaming(request, PathAndQuery::from_static(method), RawCodec)
        .await?;
    let mut answers = response.into_inner();
    let mut received = Vec::new();
    while received.len() < MAX_ANSWERS {
        let next = answers.next();
        let next = if is_watch {
            tokio::time::timeout(WATCH_TIME, next).await.unwrap_or_default()
        } else {
            next.await
        };
        match next {
            Some(answer) => received.push(answer?),
            None => break,
        }
    }
    check_answer(method, &messages, &received);
    Ok(received.len())
}
