//! The ways in which a call ends, and what is answered and recorded of each.

use std::net::SocketAddr;

use bytes::Bytes;
use certimix::rpc::proto::PredictStreamRequest;
use h2::Reason;
use http::{HeaderMap, HeaderValue, Method, Request};
use prost::Message as _;
use tonic::Code;

use crate::http2_client::{Answer, Http2Client, answer, reset};
use crate::raw_http2::{RawHttp2, flag, frame, grpc_message, kind, request_headers};
use crate::support::gzip::gzip_message;
use crate::support::messages::{CLEAR_INPUT, certify_request, floats, predict_request};
use crate::support::model_infer::row_request;

/// A kind of RPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Unary,
    RequestStream,
    ResponseStream,
    OpenInference,
    Health,
    HealthWatch,
    Reflection,
}

pub(super) const KINDS: [Kind; 7] = [
    Kind::Unary,
    Kind::RequestStream,
    Kind::ResponseStream,
    Kind::OpenInference,
    Kind::Health,
    Kind::HealthWatch,
    Kind::Reflection,
];

impl Kind {
    pub(super) fn path(self) -> &'static str {
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
pub(super) enum Ending {
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
    InvalidGzip,
    OversizedGzip,
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

pub(super) fn endings() -> Vec<Ending> {
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
        Ending::InvalidGzip,
        Ending::OversizedGzip,
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
pub(super) type Recorded = (&'static str, &'static str, &'static str);

/// What the caller receives, and what is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expected {
    /// The HTTP status and the gRPC code; `None` if the caller waits for nothing.
    pub(super) answer: Option<(u16, Code)>,
    pub(super) recorded: Option<Recorded>,
}

pub(super) fn expected(kind: Kind, ending: Ending) -> Expected {
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
        | Ending::InvalidGzip
        | Ending::UnknownFlag => unreadable(Code::InvalidArgument, "invalid", "INVALID_ARGUMENT"),
        Ending::CompressedWithoutEncoding => unreadable(Code::Internal, "invalid", "INTERNAL"),
        Ending::Oversized | Ending::OversizedGzip => {
            unreadable(Code::ResourceExhausted, "refused", "RESOURCE_EXHAUSTED")
        }
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

pub(super) fn request(path: &str) -> Request<()> {
    Request::post(format!("http://localhost{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap()
}

/// Makes a call of `kind` that ends with `ending`, and returns the answer.
pub(super) async fn end(address: SocketAddr, kind: Kind, ending: Ending) -> Option<Answer> {
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
        Ending::UnknownEncoding => drop(headers.insert("grpc-encoding", HeaderValue::from_static("zstd"))),
        Ending::InvalidGzip => {
            headers.insert("grpc-encoding", HeaderValue::from_static("gzip"));
            data = Bytes::from_static(&[1, 0, 0, 0, 1, 0]);
        }
        Ending::OversizedGzip => {
            headers.insert("grpc-encoding", HeaderValue::from_static("gzip"));
            data = Bytes::from(gzip_message(&vec![0; (4 << 20) + 1]));
        }
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
            client.flush().await;
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
