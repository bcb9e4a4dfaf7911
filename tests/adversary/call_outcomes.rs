//! What is counted is what happened. Each call ends in one of many ways, and the metrics, the log and
//! the traces record that way. A fault of a caller is never an error of the server.

use bytes::Bytes;
use certimix::rpc::open_inference::proto::ModelInferRequest;
use certimix::rpc::proto::{CertifyRequest, PredictRequest, PredictStreamRequest};
use h2::Reason;
use prost::Message as _;
use tonic::Code;

use crate::http2_client::{Http2Client, reset};
use crate::raw_http2::grpc_message;
use crate::support::Setup;
use crate::support::messages::{CLEAR_INPUT, certify_with_votes, floats, predict_request};
use crate::support::model_infer::row_request;
use crate::support::scrape::Scrape;

mod endings;
mod observed_server;

use endings::{KINDS, Kind, end, endings, expected, request};
use observed_server::{Counts, ObservedServer, wait_for};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_way_to_end_a_call_is_recorded_as_what_it_is() {
    let server = ObservedServer::start(Setup::pair("linear_g", "linear_h")).await;
    let mut counts = Counts::new();
    let mut differences = Vec::new();
    for kind in KINDS {
        for ending in endings() {
            let expected = expected(kind, ending);
            let answer = end(server.address, kind, ending).await;
            let answer = answer.map(|answer| (answer.http_status, Code::from(answer.grpc_status.unwrap_or(-1))));
            if answer != expected.answer {
                differences.push(format!(
                    "{kind:?} {ending:?}: answered {answer:?}, expected {expected:?}"
                ));
            }
            let before = counts.clone();
            if let Some((rpc, outcome, code)) = expected.recorded {
                *counts.entry((rpc.into(), outcome.into(), code.into())).or_default() += 1;
            }
            let found = wait_for(server.metrics, counts.values().sum());
            if found != counts {
                let new: Vec<_> = found
                    .iter()
                    .filter(|(key, count)| before.get(key) != Some(count))
                    .collect();
                differences.push(format!("{kind:?} {ending:?}: counted {new:?}, expected {expected:?}"));
                counts = found;
            }
        }
    }
    assert!(
        differences.is_empty(),
        "{} differences: {differences:#?}",
        differences.len()
    );
    // No fault of a caller is an error of the server, and none is a deadline that it missed.
    let scrape = Scrape::fetch(server.metrics);
    assert_eq!(scrape.sum("certimix_requests_total", "failed"), 0.0);
    assert_eq!(scrape.sum("certimix_deadline_misses_total", ""), 0.0);
    server.assert_records(counts).await;
}

/// A caller leaves while its request waits for the models, and a drain ends without an answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_caller_or_the_server_ends_a_call_in_progress() {
    let setup = Setup::one_slow_request()
        .with("scheduler.queue_rows", 64)
        .text("server.drain_timeout", "100ms");
    let server = ObservedServer::start(setup).await;
    let long_certify: CertifyRequest = certify_with_votes(floats(&[CLEAR_INPUT]), 1_000_000);
    let long_predict: PredictRequest = predict_request(floats(&[CLEAR_INPUT]));
    let long_infer: ModelInferRequest = row_request(&[CLEAR_INPUT]);
    let stream_request = PredictStreamRequest {
        request: Some(long_predict.clone()),
        ..Default::default()
    };
    let mut counts = Counts::new();
    for (path, label, message) in [
        (Kind::Unary.path(), "Predict", long_predict.encode_to_vec()),
        (
            "/certimix.v1.MixedClassifier/Certify",
            "Certify",
            long_certify.encode_to_vec(),
        ),
        (
            Kind::ResponseStream.path(),
            "CertifyStream",
            long_certify.encode_to_vec(),
        ),
        (
            Kind::RequestStream.path(),
            "PredictStream",
            stream_request.encode_to_vec(),
        ),
        (Kind::OpenInference.path(), "ModelInfer", long_infer.encode_to_vec()),
    ] {
        let mut client = Http2Client::connect(server.address, false).await;
        let (response, mut stream) = client.send(request(path)).await;
        stream
            .send_data(Bytes::from(grpc_message(message.len(), &message)), true)
            .unwrap();
        // The request is in the queue or with a model; it takes minutes.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        reset(client, stream, response, Reason::CANCEL).await;
        *counts
            .entry((label.into(), "cancelled".into(), "CANCELLED".into()))
            .or_default() += 1;
        assert_eq!(wait_for(server.metrics, counts.values().sum()), counts, "{label}");
    }
    // The drain ends before the rest of this request arrives.
    let mut client = Http2Client::connect(server.address, false).await;
    let message = long_certify.encode_to_vec();
    let (_response, mut stream) = client.send(request(Kind::ResponseStream.path())).await;
    stream
        .send_data(Bytes::from(grpc_message(message.len() + 1, &message)), false)
        .unwrap();
    client.flush().await;
    counts.insert(("other".into(), "unavailable".into(), "UNAVAILABLE".into()), 1);
    server.assert_records(counts).await;
}
