//! What is counted is what happened. Each call ends in one of many ways, and the metrics, the log and
//! the traces record that way. A fault of a caller is never an error of the server.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use certimix::rpc::open_inference::proto::ModelInferRequest;
use certimix::rpc::proto::{CertifyRequest, PredictRequest, PredictStreamRequest};
use h2::Reason;
use http::{HeaderMap, HeaderValue, Method, Request};
use prost::Message as _;
use serde_json::Value;
use tonic::Code;

use crate::http2_client::{Answer, Http2Client, answer, reset};
use crate::raw_http2::{RawHttp2, flag, frame, grpc_message, kind, request_headers};
use crate::support::Setup;
use crate::support::messages::{CLEAR_INPUT, certify_request, certify_with_votes, floats, predict_request};
use crate::support::model_infer::row_request;
use crate::support::process::ServerProcess;
use crate::support::scrape::Scrape;
use crate::support::trace_collector::{TraceCollector, string_attribute};

/// A kind of RPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unary,
    RequestStream,
    ResponseStream,
    OpenInference,
    Health,
    HealthWatch,
    Reflection,
}

const KINDS: [Kind; 7] = [
    Kind::Unary,
    Kind::RequestStream,
    Kind::ResponseStream,
    Kind::OpenInference,
    Kind::Health,
    Kind::HealthWatch,
    Kind::Reflection,
];

impl Kind {
    fn path(self) -> &'static str {
        match self {
            Self::Unary => "/certimix.v1.MixedClassifier/Predict",
            Self::RequestStream => "/certimix.v1.MixedClassifier/PredictStream",
            Self::ResponseStream => "/certimix.v1.MixedClassifier/CertifyStream",
            Self::OpenInference => "/inference.GRPCInferenceService/ModelInfer",
            Self::Health => "/grpc.health.v1.Health/Check",
            Self::HealthWatch => "/grpc.health.v1.Health/Watch",
            Self::Reflection => "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        }
    }

    fn message(self) -> Vec<u8> {
        let inputs = || floats(&[CLEAR_INPUT]);
        match self {
            Self::Unary => predict_request(inputs()).encode_to_vec(),
            Self::RequestStream => PredictStreamRequest {
                request: Some(predict_request(inputs())),
                ..Default::default()
            }
            .encode_to_vec(),
            Self::ResponseStream => certify_request(inputs()).encode_to_vec(),
            Self::OpenInference => row_request(&[CLEAR_INPUT]).encode_to_vec(),
            Self::Health | Self::HealthWatch => Vec::new(),
            // ServerReflectionRequest { list_services: "" }
            Self::Reflection => vec![0x3a, 0],
        }
    }

    /// The value of the label `rpc` if a handler records the calls.
    fn label(self) -> Option<&'static str> {
        match self {
            Self::Unary => Some("Predict"),
            Self::RequestStream => Some("PredictStream"),
            Self::ResponseStream => Some("CertifyStream"),
            Self::OpenInference => Some("ModelInfer"),
            Self::Health | Self::HealthWatch | Self::Reflection => None,
        }
    }
}

/// A way in which a call ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ending {
    Answered,
    AnsweredWithTrailers,
    AnsweredWithoutTe,
    InvalidBinaryMetadata,
    GoAwayByCaller,
    ResetBeforeTheMessage(Reason),
    ResetWithinTheMessage(Reason),
    ConnectionClosed,
    ConnectionReset,
    HalfClosedWithinTheMessage,
    HalfClosedBeforeTheMessage,
    ConnectionClosedWithinTheHeaders,
    Garbage,
    CompressedWithoutEncoding,
    UnknownFlag,
    UnknownEncoding,
    Oversized,
    UnknownMethod,
    UnknownService,
    OtherContentType,
    NoContentType,
    OtherMethod,
    InvalidTimeout,
    SlowMessage,
}

fn endings() -> Vec<Ending> {
    let reasons = [
        Reason::NO_ERROR,
        Reason::INTERNAL_ERROR,
        Reason::REFUSED_STREAM,
        Reason::CANCEL,
        Reason::ENHANCE_YOUR_CALM,
        Reason::from(0xdead),
    ];
    let mut endings = vec![
        Ending::Answered,
        Ending::AnsweredWithTrailers,
        Ending::AnsweredWithoutTe,
        Ending::InvalidBinaryMetadata,
        Ending::GoAwayByCaller,
        Ending::ConnectionClosed,
        Ending::ConnectionReset,
        Ending::HalfClosedWithinTheMessage,
        Ending::HalfClosedBeforeTheMessage,
        Ending::ConnectionClosedWithinTheHeaders,
        Ending::Garbage,
        Ending::CompressedWithoutEncoding,
        Ending::UnknownFlag,
        Ending::UnknownEncoding,
        Ending::Oversized,
        Ending::UnknownMethod,
        Ending::UnknownService,
        Ending::OtherContentType,
        Ending::NoContentType,
        Ending::OtherMethod,
        Ending::InvalidTimeout,
        Ending::SlowMessage,
    ];
    for reason in reasons {
        endings.push(Ending::ResetBeforeTheMessage(reason));
        endings.push(Ending::ResetWithinTheMessage(reason));
    }
    endings
}

/// What a record says of a call: the labels `rpc`, `outcome` and `code`.
type Recorded = (&'static str, &'static str, &'static str);

/// What the caller receives, and what is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Expected {
    /// The HTTP status and the gRPC code; `None` if the caller waits for nothing.
    answer: Option<(u16, Code)>,
    recorded: Option<Recorded>,
}

fn expected(kind: Kind, ending: Ending) -> Expected {
    let label = kind.label();
    let is_stream = matches!(kind, Kind::RequestStream | Kind::Reflection);
    let refused = |code: Code, recorded: Recorded| Expected {
        answer: Some((200, code)),
        recorded: Some(recorded),
    };
    let answered = Expected {
        answer: Some((200, Code::Ok)),
        recorded: label.map(|label| (label, "ok", "OK")),
    };
    // A message that cannot be read ends the stream that it belongs to. tonic's reflection then ends
    // its stream as if there were no more requests.
    let unreadable = |code: Code, outcome, name| match kind {
        Kind::RequestStream => refused(code, ("PredictStream", outcome, name)),
        Kind::Reflection => Expected {
            answer: Some((200, Code::Ok)),
            recorded: None,
        },
        _ => refused(code, ("other", outcome, name)),
    };
    let left = Expected {
        answer: None,
        recorded: (!is_stream).then_some(("other", "cancelled", "CANCELLED")),
    };
    let invalid = ("other", "invalid", "INVALID_ARGUMENT");
    match ending {
        Ending::Answered | Ending::AnsweredWithTrailers | Ending::AnsweredWithoutTe | Ending::InvalidBinaryMetadata => {
            answered
        }
        Ending::GoAwayByCaller => Expected {
            answer: None,
            ..answered
        },
        Ending::ResetBeforeTheMessage(_)
        | Ending::ResetWithinTheMessage(_)
        | Ending::ConnectionClosed
        | Ending::ConnectionReset => left,
        // There is no call before its headers are complete.
        Ending::ConnectionClosedWithinTheHeaders => Expected {
            answer: None,
            recorded: None,
        },
        Ending::HalfClosedBeforeTheMessage if is_stream => Expected {
            answer: Some((200, Code::Ok)),
            recorded: None,
        },
        Ending::HalfClosedBeforeTheMessage
        | Ending::HalfClosedWithinTheMessage
        | Ending::Garbage
        | Ending::UnknownFlag => unreadable(Code::InvalidArgument, "invalid", "INVALID_ARGUMENT"),
        Ending::CompressedWithoutEncoding => unreadable(Code::Internal, "invalid", "INTERNAL"),
        Ending::Oversized => unreadable(Code::ResourceExhausted, "refused", "RESOURCE_EXHAUSTED"),
        Ending::UnknownEncoding | Ending::UnknownMethod | Ending::UnknownService => {
            refused(Code::Unimplemented, ("other", "invalid", "UNIMPLEMENTED"))
        }
        Ending::OtherContentType | Ending::NoContentType => Expected {
            answer: Some((415, Code::InvalidArgument)),
            recorded: Some(invalid),
        },
        Ending::OtherMethod => Expected {
            answer: Some((405, Code::InvalidArgument)),
            recorded: Some(invalid),
        },
        Ending::InvalidTimeout => match label {
            Some(label) => refused(Code::InvalidArgument, (label, "invalid", "INVALID_ARGUMENT")),
            None => answered,
        },
        // The stream reaches its own deadline, and no request had arrived.
        Ending::SlowMessage if kind == Kind::RequestStream => Expected {
            answer: Some((200, Code::DeadlineExceeded)),
            recorded: None,
        },
        Ending::SlowMessage => unreadable(Code::DeadlineExceeded, "deadline", "DEADLINE_EXCEEDED"),
    }
}

fn request(path: &str) -> Request<()> {
    Request::post(format!("http://localhost{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap()
}

/// Makes a call of `kind` that ends with `ending`, and returns the answer.
async fn end(address: SocketAddr, kind: Kind, ending: Ending) -> Option<Answer> {
    let message = kind.message();
    let whole = Bytes::from(grpc_message(message.len(), &message));
    // The message lacks its last 95 bytes.
    let partial = Bytes::from(grpc_message(100, &[0; 5]));
    let mut request = request(kind.path());
    let headers = request.headers_mut();
    let (mut data, mut ends) = (whole, true);
    match ending {
        Ending::AnsweredWithTrailers => ends = false,
        Ending::AnsweredWithoutTe => drop(headers.remove("te")),
        Ending::InvalidBinaryMetadata => drop(headers.insert("trace-bin", HeaderValue::from_static("!!!"))),
        Ending::ResetWithinTheMessage(_)
        | Ending::ResetBeforeTheMessage(_)
        | Ending::ConnectionClosed
        | Ending::ConnectionReset => (data, ends) = (partial, false),
        Ending::HalfClosedWithinTheMessage => data = partial,
        Ending::HalfClosedBeforeTheMessage => data = Bytes::new(),
        Ending::Garbage => data = Bytes::from(grpc_message(3, &[7, 7, 7])),
        Ending::CompressedWithoutEncoding => data = Bytes::from_static(&[1, 0, 0, 0, 1, 0]),
        Ending::UnknownFlag => data = Bytes::from_static(&[7, 0, 0, 0, 1, 0]),
        Ending::Oversized => data = Bytes::from(grpc_message(1 << 30, &[0; 5])),
        Ending::UnknownEncoding => drop(headers.insert("grpc-encoding", HeaderValue::from_static("gzip"))),
        Ending::UnknownMethod => {
            let (service, _) = kind.path().rsplit_once('/').unwrap();
            *request.uri_mut() = format!("http://localhost{service}/Destroy").parse().unwrap();
        }
        Ending::UnknownService => *request.uri_mut() = "http://localhost/no.Service/Predict".parse().unwrap(),
        Ending::OtherContentType => drop(headers.insert("content-type", HeaderValue::from_static("application/json"))),
        Ending::NoContentType => drop(headers.remove("content-type")),
        Ending::OtherMethod => *request.method_mut() = Method::PUT,
        Ending::InvalidTimeout => drop(headers.insert("grpc-timeout", HeaderValue::from_static("soon"))),
        Ending::SlowMessage => {
            headers.insert("grpc-timeout", HeaderValue::from_static("150m"));
            (data, ends) = (partial, false);
        }
        Ending::GoAwayByCaller | Ending::ConnectionClosedWithinTheHeaders => {
            return end_with_frames(address, kind, ending);
        }
        Ending::Answered => {}
    }
    let mut client = Http2Client::connect(address, ending == Ending::ConnectionReset).await;
    let (response, mut stream) = client.send(request).await;
    if let Ending::ResetBeforeTheMessage(reason) = ending {
        reset(client, stream, response, reason).await;
        return None;
    }
    // A refusal of the headers ends the stream at once.
    let _ = stream.send_data(data, ends);
    match ending {
        Ending::AnsweredWithTrailers => {
            let mut trailers = HeaderMap::new();
            trailers.insert("checksum", HeaderValue::from_static("0"));
            stream.send_trailers(trailers).unwrap();
        }
        Ending::ResetWithinTheMessage(reason) => {
            reset(client, stream, response, reason).await;
            return None;
        }
        Ending::ConnectionClosed | Ending::ConnectionReset => {
            // The settings of the server have arrived, and the frames before them have left.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            client.close().await;
            return None;
        }
        _ => {}
    }
    // A watch never ends by itself: its headers are its answer.
    if kind == Kind::HealthWatch && expected(kind, ending).answer == Some((200, Code::Ok)) {
        return Some(Answer {
            http_status: response.await.unwrap().status().as_u16(),
            grpc_status: Some(0),
        });
    }
    answer(response).await
}

/// Endings that a library does not offer.
fn end_with_frames(address: SocketAddr, kind: Kind, ending: Ending) -> Option<Answer> {
    let mut connection = RawHttp2::connect(address);
    let headers = request_headers(1, kind.path(), &[]);
    if ending == Ending::ConnectionClosedWithinTheHeaders {
        assert!(connection.send(&headers[..headers.len() - 4]));
        return None;
    }
    let message = kind.message();
    let message = grpc_message(message.len(), &message);
    let go_away = frame(kind::GOAWAY, 0, 0, &[0; 8]);
    assert!(connection.send(&[headers, frame(kind::DATA, flag::END_STREAM, 1, &message), go_away].concat()));
    connection
        .read_until(|frame| frame.kind == kind::DATA)
        .expect("an answer");
    None
}

/// The calls by what is recorded of them.
type Counts = BTreeMap<(String, String, String), u64>;

fn counted(metrics: SocketAddr) -> Counts {
    let scrape = Scrape::fetch(metrics);
    let label = |id: &str, name: &str| {
        let (_, rest) = id.split_once(&format!("{name}=\"")).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let requests = scrape
        .series
        .iter()
        .filter(|(id, _)| id.starts_with("certimix_requests_total{"));
    let counts = requests.filter(|(id, count)| **count > 0.0 && !id.contains("GetModelInfo"));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts are small"
    )]
    counts
        .map(|(id, count)| {
            (
                (label(id, "rpc"), label(id, "outcome"), label(id, "code")),
                *count as u64,
            )
        })
        .collect()
}

/// Waits until `total` calls are counted, and returns the counts.
fn wait_for(metrics: SocketAddr, total: u64) -> Counts {
    for _ in 0..500 {
        let counts = counted(metrics);
        if counts.values().sum::<u64>() >= total {
            return counts;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    counted(metrics)
}

/// A server that logs and traces every call.
struct ObservedServer {
    process: ServerProcess,
    address: SocketAddr,
    metrics: SocketAddr,
    collector: TraceCollector,
    _setup: Setup,
}

impl ObservedServer {
    async fn start(setup: Setup) -> Self {
        let collector = TraceCollector::start().await;
        let setup = setup
            .with("open_inference.enabled", true)
            .text("metrics.listen", "127.0.0.1:0")
            .text("log.format", "json")
            .text("log.filter", "info,certimix::request=debug")
            .text("traces.endpoint", &collector.endpoint)
            .with("traces.sample_ratio", "1.0");
        let process = ServerProcess::spawn(&setup.write());
        let ready: Value = serde_json::from_str(&process.line_with("\"ready\"")).unwrap();
        let of = |key: &str| ready[key].as_str().unwrap().parse().unwrap();
        Self {
            address: of("address"),
            metrics: of("metrics"),
            process,
            collector,
            _setup: setup,
        }
    }

    /// Stops the server. The log and the traces must hold exactly `counts`.
    async fn assert_records(mut self, counts: Counts) {
        self.process.signal("TERM");
        assert!(self.process.wait().success());
        let lines = self.process.rest();
        let mut logged = Counts::new();
        for line in &lines {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
            if line["target"] == "certimix::request" && line["rpc"] != "GetModelInfo" {
                let text = |key: &str| line[key].as_str().unwrap().to_owned();
                *logged.entry((text("rpc"), text("outcome"), text("code"))).or_default() += 1;
            }
        }
        assert_eq!(logged, counts, "the log");
        let mut traced = Counts::new();
        let total: u64 = counts.values().sum();
        while traced.values().sum::<u64>() < total {
            for span in self.collector.next_spans(1).await {
                let attributes = &span.span.attributes;
                let has = |key: &str| attributes.iter().any(|attribute| attribute.key == key);
                if !has("certimix.outcome") || string_attribute(attributes, "rpc.method") == "GetModelInfo" {
                    continue;
                }
                let text = |key: &str| string_attribute(attributes, key).to_owned();
                let outcome = text("certimix.outcome");
                let code = counts
                    .keys()
                    .find(|key| key.1 == outcome && key.0 == text("rpc.method"));
                let code = code.unwrap_or_else(|| panic!("an unknown span: {attributes:?}"));
                let is_error = span.span.status.clone().unwrap_or_default().code == 2;
                assert!(
                    !is_error || outcome != "invalid" || has_caller_error_code(&span.span),
                    "{attributes:?}"
                );
                *traced.entry((code.0.clone(), outcome, String::new())).or_default() += 1;
            }
        }
        let mut without_codes = Counts::new();
        for ((rpc, outcome, _), count) in counts {
            *without_codes.entry((rpc, outcome, String::new())).or_default() += count;
        }
        assert_eq!(traced, without_codes, "the traces");
    }
}

/// Whether the conventions of OpenTelemetry call the code an error although the caller is at fault.
fn has_caller_error_code(span: &opentelemetry_proto::tonic::trace::v1::Span) -> bool {
    use opentelemetry_proto::tonic::common::v1::any_value::Value::IntValue;
    let code = span
        .attributes
        .iter()
        .find(|one| one.key == "rpc.grpc.status_code")
        .unwrap();
    // UNIMPLEMENTED
    matches!(code.value.as_ref().unwrap().value, Some(IntValue(12)))
}

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
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    counts.insert(("other".into(), "unavailable".into(), "UNAVAILABLE".into()), 1);
    server.assert_records(counts).await;
}
