//! Traces of the real binary in an OTLP collector: parents, attributes, sampling, and the effect of
//! an unreachable collector.

use std::collections::HashSet;
use std::net::TcpListener;
use std::time::Duration;

use certimix::rpc::proto::predict_stream_response::Outcome;
use certimix::rpc::proto::{PredictRequest, PredictResponse};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use tonic::{Code, Request, Response, Status};

use crate::support::Setup;
use crate::support::messages::{CLEAR_INPUT, certify_with_votes, floats, predict_request};
use crate::support::predict_stream::PredictStreamClient;
use crate::support::process::ServerProcess;
use crate::support::server::{Client, connect};
use crate::support::trace_collector::{TraceCollector, string_attribute};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";
const STAGES: [&str; 4] = ["mixing", "queue", "robust", "standard"];

/// Settings that export spans to `endpoint`, and sample requests without a trace context by
/// `ratio`.
fn setup(endpoint: &str, ratio: f64) -> Setup {
    Setup::pair("linear_g", "linear_h")
        .text("traces.endpoint", endpoint)
        .with("traces.sample_ratio", format!("{ratio:?}"))
}

async fn serve(setup: &Setup) -> (ServerProcess, Client) {
    let server = ServerProcess::spawn(&setup.write());
    let address = format!("http://{}", server.address());
    let client = connect(address).await;
    (server, client)
}

fn clear_request() -> PredictRequest {
    predict_request(floats(&[CLEAR_INPUT]))
}

/// Builds a request within the caller's span, which is sampled or not.
fn in_trace<T>(message: T, trace: &str, sampled: bool) -> Request<T> {
    let mut request = Request::new(message);
    let parent = format!("00-{trace}-{PARENT}-{:02x}", u8::from(sampled));
    request.metadata_mut().insert("traceparent", parent.parse().unwrap());
    request
        .metadata_mut()
        .insert("tracestate", "vendor=opaque".parse().unwrap());
    request
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_a_child_of_the_callers_span_and_each_stage_a_child_of_the_request() {
    let mut collector = TraceCollector::start().await;
    let setup = setup(&collector.endpoint, 0.0).text("traces.service_name", "certimix-eu");
    let (_server, mut client) = serve(&setup).await;
    let mut request = in_trace(predict_request(floats(&[CLEAR_INPUT, CLEAR_INPUT])), TRACE, true);
    request.metadata_mut().insert("x-request-id", "loop-7".parse().unwrap());
    let response = client.predict(request).await.unwrap().into_inner();
    let provenance = response.provenance.unwrap();

    let trace = collector.next_request(4).await;
    let server = &trace.server.span;
    assert_eq!(server.name, "certimix.v1.MixedClassifier/Predict");
    assert_eq!(
        (hex(&server.trace_id), hex(&server.parent_span_id)),
        (TRACE.to_owned(), PARENT.to_owned())
    );
    assert_eq!(server.trace_state, "vendor=opaque");
    assert_eq!(server.kind(), SpanKind::Server);
    assert_eq!(server.status.clone().unwrap_or_default().code(), StatusCode::Unset);
    assert_eq!(string_attribute(&trace.server.resource, "service.name"), "certimix-eu");
    for (key, expected) in [
        ("rpc.system", "grpc"),
        ("rpc.service", "certimix.v1.MixedClassifier"),
        ("rpc.method", "Predict"),
        ("certimix.outcome", "ok"),
        ("certimix.request_id", "loop-7"),
        ("certimix.config_revision", provenance.config_revision.as_str()),
    ] {
        assert_eq!(trace.string_attribute(key), expected, "{key}");
    }
    for (key, expected) in [
        ("rpc.grpc.status_code", 0),
        ("certimix.inputs", 2),
        ("certimix.certified", 2),
        ("certimix.votes", 0),
    ] {
        assert_eq!(trace.int_attribute(key), expected, "{key}");
    }
    assert_eq!(trace.double_attribute("certimix.alpha"), provenance.alpha);
    assert_eq!(
        Some(trace.double_attribute("certimix.fallback_alpha")),
        provenance.fallback_alpha
    );

    assert_eq!(trace.stage_names(), STAGES);
    for stage in &trace.stages {
        assert_eq!(stage.parent_span_id, server.span_id, "{stage:?}");
        assert_eq!(stage.trace_id, server.trace_id, "{stage:?}");
        assert!(
            stage.start_time_unix_nano >= server.start_time_unix_nano,
            "{stage:?} {server:?}"
        );
        assert!(stage.end_time_unix_nano >= stage.start_time_unix_nano, "{stage:?}");
        assert!(
            stage.end_time_unix_nano <= server.end_time_unix_nano,
            "{stage:?} {server:?}"
        );
    }
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    let ago = now - u128::from(server.end_time_unix_nano);
    assert!(
        ago < Duration::from_secs(120).as_nanos(),
        "the time of day is off by {ago} ns"
    );
}

/// The caller's sampled flag decides. Without a valid trace context the ratio decides.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_callers_sampled_flag_overrides_the_ratio() {
    let mut never = TraceCollector::start().await;
    let (_server, mut client) = serve(&setup(&never.endpoint, 0.0)).await;
    client.predict(clear_request()).await.unwrap();
    client.predict(in_trace(clear_request(), TRACE, false)).await.unwrap();
    client.predict(in_trace(clear_request(), TRACE, true)).await.unwrap();
    // Spans arrive in the order of their creation, so spans of the other requests would arrive
    // first.
    let trace = never.next_request(4).await;
    assert_eq!(hex(&trace.server.span.trace_id), TRACE);
    assert!(never.is_empty());

    let mut always = TraceCollector::start().await;
    let (_server, mut client) = serve(&setup(&always.endpoint, 1.0)).await;
    client.predict(in_trace(clear_request(), TRACE, false)).await.unwrap();
    let mut trace_ids = HashSet::new();
    client.predict(clear_request()).await.unwrap();
    trace_ids.insert(next_root_trace_id(&mut always).await);
    for nonsense in [
        "nonsense",
        "00-0-0-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ] {
        let mut request = Request::new(clear_request());
        request.metadata_mut().insert("traceparent", nonsense.parse().unwrap());
        client.predict(request).await.unwrap();
        trace_ids.insert(next_root_trace_id(&mut always).await);
    }
    assert_eq!(trace_ids.len(), 4, "{trace_ids:?}");
    assert!(!trace_ids.contains(TRACE) && always.is_empty());
}

/// Receives the spans of a request that started a trace, and returns the trace ID.
async fn next_root_trace_id(collector: &mut TraceCollector) -> String {
    let trace = collector.next_request(4).await;
    assert!(trace.server.span.parent_span_id.is_empty(), "{trace:?}");
    hex(&trace.server.span.trace_id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_have_their_code_and_server_errors_have_an_error_status() {
    let mut collector = TraceCollector::start().await;
    let setup = Setup::pair("slow_g", "slow_h")
        .text("traces.endpoint", &collector.endpoint)
        .with("traces.sample_ratio", 1)
        .text("server.max_request_time", "1ms");
    let (_server, mut client) = serve(&setup).await;
    let status = client.predict(PredictRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let trace = collector.next_request(0).await;
    assert_eq!(trace.int_attribute("rpc.grpc.status_code"), 3);
    assert_eq!(trace.string_attribute("certimix.outcome"), "invalid");
    let server = &trace.server.span;
    // An error of the caller is no error of the server.
    assert_eq!(server.status.clone().unwrap_or_default().code(), StatusCode::Unset);

    let status = client
        .predict(predict_request(floats(&[[0.5; 4]; 8])))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    let trace = collector.next_request(0).await;
    assert_eq!(trace.int_attribute("rpc.grpc.status_code"), 4);
    let status = trace.server.span.status.unwrap();
    assert_eq!(
        (status.code(), status.message.as_str()),
        (StatusCode::Error, "deadline")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_rpc_and_each_request_of_a_stream_is_traced() {
    let mut collector = TraceCollector::start().await;
    let setup = Setup::pair("linear_g", "slow_smoothed")
        .text("traces.endpoint", &collector.endpoint)
        .with("traces.sample_ratio", 0.0);
    let (_server, client) = serve(&setup).await;
    let mut predict_stream = PredictStreamClient::open_with(client.clone(), |request| {
        let parent = format!("00-{TRACE}-{PARENT}-01");
        request.metadata_mut().insert("traceparent", parent.parse().unwrap());
    })
    .await;
    for number in 1..=2 {
        predict_stream.send(clear_request());
        assert!(matches!(
            predict_stream.next_outcome().await.unwrap(),
            Some(Outcome::Response(_))
        ));
        let trace = collector.next_request(4).await;
        let server = &trace.server.span;
        assert_eq!(server.name, "certimix.v1.MixedClassifier/PredictStream");
        assert_eq!(
            (hex(&server.trace_id), hex(&server.parent_span_id)),
            (TRACE.to_owned(), PARENT.to_owned())
        );
        assert_eq!(trace.int_attribute("certimix.message"), number);
        assert!(trace.int_attribute("certimix.votes") > 0);
    }
    drop(predict_stream);

    let mut certifying = client.clone();
    let request = certify_with_votes(floats(&[CLEAR_INPUT]), 50);
    certifying
        .certify(in_trace(request.clone(), TRACE, true))
        .await
        .unwrap();
    let trace = collector.next_request(4).await;
    assert_eq!(trace.server.span.name, "certimix.v1.MixedClassifier/Certify");
    assert_eq!(trace.int_attribute("certimix.votes"), 50 + 16);

    let mut stream = certifying
        .certify_stream(in_trace(request, TRACE, true))
        .await
        .unwrap()
        .into_inner();
    while stream.message().await.unwrap().is_some() {}
    let trace = collector.next_request(4).await;
    assert_eq!(trace.server.span.name, "certimix.v1.MixedClassifier/CertifyStream");
    assert_eq!(trace.stage_names(), STAGES);
}

/// Sends requests that create more spans than the exporter's queue holds.
async fn flood(client: &Client) {
    const SPANS: usize = 4096 + 2 * 512;
    let callers = (0..8).map(|_| {
        let mut client = client.clone();
        tokio::spawn(async move {
            for _ in 0..SPANS / 5 / 8 + 1 {
                client
                    .predict(clear_request())
                    .await
                    .map(assert_one_prediction)
                    .unwrap();
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
}

fn assert_one_prediction(response: Response<PredictResponse>) {
    assert_eq!(response.into_inner().predictions.len(), 1);
}

/// No process listens on the port, so every connection is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreachable_collector_loses_only_spans() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", port.local_addr().unwrap());
    drop(port);
    let (mut server, mut client) = serve(&setup(&endpoint, 1.0)).await;
    client
        .predict(clear_request())
        .await
        .map(assert_one_prediction)
        .unwrap();
    let line = server.line_with("spans lost (traces.endpoint)");
    assert!(line.contains("Unavailable") && line.contains("lost=5"), "{line}");
    flood(&client).await;
    server.signal("TERM");
    server.line_with("spans lost since the start");
    assert!(server.wait().success());
}

/// The collector accepts connections and never responds. The queue of spans is bounded, and so is
/// the time to exit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unresponsive_collector_delays_no_request_and_no_exit() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    // The server has one thread, which would block if the exporter ran on it.
    let (mut server, client) = serve(&setup(&endpoint, 1.0).with("server.threads", 1)).await;
    flood(&client).await;
    server.signal("TERM");
    server.line_with("queued spans lost");
    let lost = server.line_with("spans lost since the start");
    assert!(lost.contains("lost="), "{lost}");
    assert!(server.wait().success());
}

/// Spans created shortly before the exit are exported.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_spans_are_exported_before_the_exit() {
    let mut collector = TraceCollector::start().await;
    let (mut server, mut client) = serve(&setup(&collector.endpoint, 1.0)).await;
    client
        .predict(clear_request())
        .await
        .map(assert_one_prediction)
        .unwrap();
    drop(client);
    server.signal("TERM");
    assert!(server.wait().success());
    assert_eq!(collector.next_request(4).await.stage_names(), STAGES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_endpoint_a_trace_context_is_ignored() {
    let (mut server, mut client) = serve(&Setup::pair("linear_g", "linear_h")).await;
    let response: Result<_, Status> = client.predict(in_trace(clear_request(), TRACE, true)).await;
    response.map(assert_one_prediction).unwrap();
    server.signal("TERM");
    assert!(server.wait().success());
}
