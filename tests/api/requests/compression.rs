//! Messages that their caller compresses with gzip: the answer is that of the same message without
//! compression, and bytes that are no such message are refused.

use certimix::rpc::open_inference::proto::ModelInferResponse;
use certimix::rpc::proto::predict_stream_response::Outcome;
use certimix::rpc::proto::{
    CertifyResponse, CertifyStreamResponse, GetModelInfoResponse, PredictResponse, PredictStreamRequest,
    PredictStreamResponse,
};
use http_body_util::{BodyExt as _, Full};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use prost::Message;
use tonic::codegen::http::Request;
use tonic::codegen::{Bytes, Service as _};
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::support::editable_server::EditableServer;
use crate::support::gzip::{flagged_message, gzip, gzip_message};
use crate::support::messages::{CLEAR_INPUT, certify_request, floats, predict_request};
use crate::support::model_infer::row_request;
use crate::support::{Setup, TestServer};

const PREDICT: &str = "certimix.v1.MixedClassifier/Predict";
const PREDICT_STREAM: &str = "certimix.v1.MixedClassifier/PredictStream";
const CERTIFY: &str = "certimix.v1.MixedClassifier/Certify";
const CERTIFY_STREAM: &str = "certimix.v1.MixedClassifier/CertifyStream";
const MODEL_INFER: &str = "inference.GRPCInferenceService/ModelInfer";
const METHODS: [&str; 9] = [
    PREDICT,
    PREDICT_STREAM,
    CERTIFY,
    CERTIFY_STREAM,
    MODEL_INFER,
    "certimix.v1.MixedClassifier/GetModelInfo",
    "inference.GRPCInferenceService/ModelMetadata",
    "grpc.health.v1.Health/Check",
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
];

/// A gRPC message that is not compressed.
fn plain_message(content: &[u8]) -> Vec<u8> {
    let mut message = flagged_message(content);
    message[0] = 0;
    message
}

/// Calls `method` with the bytes `body` under `encoding`, and returns the messages of the answer.
async fn call(channel: &Channel, method: &str, encoding: &str, body: Vec<u8>) -> Result<Vec<Bytes>, Status> {
    let mut channel = channel.clone();
    std::future::poll_fn(|context| channel.poll_ready(context))
        .await
        .unwrap();
    let request = Request::post(format!("http://localhost/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-encoding", encoding)
        // As gRPC's C core sends it: answers might be compressed.
        .header("grpc-accept-encoding", "identity, deflate, gzip")
        .body(tonic::body::Body::new(Full::new(Bytes::from(body))))
        .unwrap();
    let response = channel.call(request).await.unwrap();
    assert!(!response.headers().contains_key("grpc-encoding"), "{response:?}");
    let in_headers = Status::from_header_map(response.headers());
    let body = response.into_body().collect().await?;
    let trailers = body.trailers().and_then(Status::from_header_map);
    let status = in_headers.or(trailers).expect("a status");
    if status.code() != Code::Ok {
        return Err(status);
    }
    let mut bytes = body.to_bytes();
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let prefix = bytes.split_to(5);
        assert_eq!(prefix[0], 0, "answers are not compressed");
        let length = u32::from_be_bytes(prefix[1..].try_into().unwrap());
        messages.push(bytes.split_to(usize::try_from(length).unwrap()));
    }
    Ok(messages)
}

async fn call_gzip(channel: &Channel, method: &str, body: Vec<u8>) -> Result<Vec<Bytes>, Status> {
    call(channel, method, "gzip", body).await
}

/// What of the answers does not depend on time: the predictions, or the text of them.
fn timeless(method: &str, answers: &[Bytes]) -> Vec<String> {
    fn decode<M: Message + Default>(answer: &Bytes) -> M {
        M::decode(answer.clone()).unwrap()
    }
    let predictions = |answer: &Bytes| match method {
        PREDICT => format!("{:?}", decode::<PredictResponse>(answer).predictions),
        CERTIFY => format!("{:?}", decode::<CertifyResponse>(answer).predictions),
        CERTIFY_STREAM => format!("{:?}", decode::<CertifyStreamResponse>(answer).prediction),
        PREDICT_STREAM => {
            let answer: PredictStreamResponse = decode(answer);
            let Some(Outcome::Response(response)) = answer.outcome else {
                panic!("{answer:?}");
            };
            format!("{} {:?}", answer.correlation_id, response.predictions)
        }
        MODEL_INFER => format!("{:?}", decode::<ModelInferResponse>(answer).raw_output_contents),
        other => panic!("{other}"),
    };
    let mut found: Vec<String> = answers.iter().map(predictions).collect();
    // The answers of a PredictStream come in any order.
    found.sort();
    found
}

/// The requests of one call of each method that runs a model, for one tensor.
fn requests(rows: &[[f32; 4]]) -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let stream = (0..3).map(|correlation_id| {
        let request = PredictStreamRequest {
            correlation_id,
            request: Some(predict_request(floats(rows))),
            ..Default::default()
        };
        request.encode_to_vec()
    });
    // It takes one input.
    let certify_stream = certify_request(floats(&rows[..1]));
    vec![
        (PREDICT, vec![predict_request(floats(rows)).encode_to_vec()]),
        (PREDICT_STREAM, stream.collect()),
        (CERTIFY, vec![certify_request(floats(rows)).encode_to_vec()]),
        (CERTIFY_STREAM, vec![certify_stream.encode_to_vec()]),
        (MODEL_INFER, vec![row_request(rows).encode_to_vec()]),
    ]
}

fn rows() -> impl Strategy<Value = Vec<[f32; 4]>> {
    // The longest tensors need a turn to be unpacked, and the short ones none.
    let repeated = (prop::array::uniform4(-1.0f32..=1.0), 1000..3000_usize).prop_map(|(row, rows)| vec![row; rows]);
    prop_oneof![
        3 => prop::collection::vec(prop::array::uniform4(-1.0f32..=1.0), 1..20),
        1 => repeated,
    ]
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    })
}

/// A server that answers tensors of thousands of rows.
fn server(runtime: &tokio::runtime::Runtime) -> TestServer {
    let setup = Setup::pair("linear_g", "linear_h")
        .with("server.max_inputs", 3000)
        .with("scheduler.queue_rows", 1 << 20);
    runtime.block_on(TestServer::start(setup))
}

#[test]
fn a_compressed_message_has_the_answer_of_the_message() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = server(&runtime);
    let channel = runtime.block_on(server.channel());
    let strategy = (rows(), prop::array::uniform3(any::<bool>()));
    runner(40)
        .run(&strategy, |(rows, is_compressed)| {
            for (method, messages) in requests(&rows) {
                let plain = messages.iter().flat_map(|message| plain_message(message)).collect();
                let expected = runtime.block_on(call(&channel, method, "identity", plain)).unwrap();
                // A stream may compress some of its messages.
                let packed =
                    messages.iter().zip(is_compressed).flat_map(|(message, is_compressed)| {
                        match is_compressed || messages.len() == 1 {
                            true => gzip_message(message),
                            false => plain_message(message),
                        }
                    });
                let packed = packed.collect();
                let found = runtime.block_on(call_gzip(&channel, method, packed)).unwrap();
                prop_assert_eq!(timeless(method, &found), timeless(method, &expected), "{}", method);
            }
            Ok(())
        })
        .unwrap();
}

/// Bytes under the flag of compression: any, damaged gzip, and gzip of any.
fn compressed_bytes() -> impl Strategy<Value = Vec<u8>> {
    let content = || prop::collection::vec(any::<u8>(), 0..300);
    let damaged = (content(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(content, place, byte)| {
        let mut packed = gzip(&content);
        let place = place.index(packed.len());
        packed[place] = byte;
        packed
    });
    let zeros = (0..6_000_000_usize).prop_map(|length| gzip(&vec![0; length]));
    prop_oneof![
        4 => content(),
        4 => damaged,
        4 => content().prop_map(|content| gzip(&content)),
        1 => zeros,
    ]
}

#[test]
fn any_bytes_under_the_flag_are_answered_or_refused_as_the_callers_fault() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = server(&runtime);
    let channel = runtime.block_on(server.channel());
    let strategy = (0..METHODS.len(), compressed_bytes());
    runner(400)
        .run(&strategy, |(method, bytes)| {
            let method = METHODS[method];
            let body = flagged_message(&bytes);
            if let Err(status) = runtime.block_on(call_gzip(&channel, method, body)) {
                let is_callers_fault = matches!(
                    status.code(),
                    Code::InvalidArgument | Code::ResourceExhausted | Code::NotFound
                );
                prop_assert!(is_callers_fault, "{}: {:?}", method, status);
            }
            Ok(())
        })
        .unwrap();
    let request = predict_request(floats(&[CLEAR_INPUT]));
    runtime
        .block_on(async { server.client().await.predict(request).await })
        .unwrap();
}

/// The limits of a method hold for the message that is unpacked.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_unpacked_message_has_the_limit_of_its_method() {
    let setup = Setup::pair("linear_g", "linear_h").with("server.max_message_bytes", 100_000);
    let server = TestServer::start(setup).await;
    let channel = server.channel().await;
    for (method, limit) in [
        (PREDICT, 100_000),
        (PREDICT_STREAM, 100_000),
        (MODEL_INFER, 100_000),
        ("certimix.v1.MixedClassifier/GetModelInfo", 4096),
        ("inference.GRPCInferenceService/ModelReady", 4096),
        ("grpc.health.v1.Health/Check", 1024),
    ] {
        let message = gzip_message(&vec![0; limit + 1]);
        assert!(message.len() < 1024, "the compressed message is within the limit");
        let refused = call_gzip(&channel, method, message).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted, "{method}: {refused:?}");
        assert!(
            refused.message().contains(&format!("{} bytes", limit + 1)),
            "{refused:?}"
        );
        // A message of zeros is none of protobuf.
        let unread = call_gzip(&channel, method, gzip_message(&vec![0; limit]))
            .await
            .unwrap_err();
        assert_eq!(unread.code(), Code::InvalidArgument, "{method}: {unread:?}");
        assert!(!unread.message().contains("gzip"), "{unread:?}");
    }
    // The compressed bytes have the limit too.
    let noise: Vec<u8> = (0..100_000).map(|_| fastrand::u8(..)).collect();
    let refused = call_gzip(&channel, PREDICT, gzip_message(&noise)).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
}

/// Empty messages, and messages after the first, are read like others.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn health_and_reflection_accept_gzip() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h")).await;
    let channel = server.channel().await;
    let serving = call_gzip(&channel, "grpc.health.v1.Health/Check", gzip_message(b""))
        .await
        .unwrap();
    assert_eq!(serving, [&[8, 1][..]]);
    let info = call_gzip(&channel, "certimix.v1.MixedClassifier/GetModelInfo", gzip_message(b""))
        .await
        .unwrap();
    GetModelInfoResponse::decode(info[0].clone()).unwrap();
    // ServerReflectionRequest { list_services: "" }
    let lists = gzip_message(&[0x3a, 0]).repeat(3);
    let reflection = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    assert_eq!(call_gzip(&channel, reflection, lists).await.unwrap().len(), 3);
    let twice = gzip_message(b"").repeat(2);
    let refused = call_gzip(&channel, "grpc.health.v1.Health/Check", twice)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
}

/// The operator's key holds from the next call on.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn gzip_is_refused_if_the_operator_says_so() {
    let server = EditableServer::start(Setup::pair("linear_g", "linear_h").with("server.accept_gzip", false));
    let channel = server.channel().await;
    let request = predict_request(floats(&[CLEAR_INPUT])).encode_to_vec();
    for method in METHODS {
        let refused = call_gzip(&channel, method, gzip_message(&request)).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unimplemented, "{method}: {refused:?}");
        assert!(refused.message().contains("server.accept_gzip"), "{refused:?}");
    }
    server.set("server.accept_gzip", true);
    call_gzip(&channel, PREDICT, gzip_message(&request)).await.unwrap();
    let unknown = call(&channel, PREDICT, "zstd", gzip_message(&request))
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), Code::Unimplemented, "{unknown:?}");
    let accepted = unknown.metadata().get("grpc-accept-encoding").unwrap();
    assert_eq!(accepted, "gzip,identity");
}
