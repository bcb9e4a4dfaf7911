//! Callers who cancel: a control loop with short deadlines does, and harms nobody; a flood of
//! requests that are reset at once is ended.

use std::net::SocketAddr;

use certimix::rpc::proto::CertifyRequest;
use prost::Message as _;

use crate::attacks::{self, Requests, reset};
use crate::flood::Flood;
use crate::honest_caller::HonestCaller;
use crate::raw_http2::{Frame, RawHttp2, flag, frame, grpc_message, kind, request_headers};
use crate::support::Setup;
use crate::support::messages::{CLEAR_INPUT, certify_with_votes, floats};
use crate::support::process::ServerProcess;
use crate::support::scrape::Scrape;

const CERTIFY: &str = "/certimix.v1.MixedClassifier/Certify";
const PREDICT: &str = "/certimix.v1.MixedClassifier/Predict";
const RESET_FLOODS: &str = "certimix_connection_failures_total{reason=\"resets\"}";

fn spawn(setup: Setup) -> (Setup, ServerProcess, SocketAddr, SocketAddr) {
    let setup = setup.text("metrics.listen", "127.0.0.1:0");
    let server = ServerProcess::spawn(&setup.write());
    let (address, metrics) = server.addresses();
    (setup, server, address, metrics.unwrap())
}

/// A call with one message: its frames.
fn call(stream: u32, path: &str, message: &[u8]) -> Vec<u8> {
    let mut frames = request_headers(stream, path, &[]);
    let message = grpc_message(message.len(), message);
    frames.extend(frame(kind::DATA, flag::END_STREAM, stream, &message));
    frames
}

/// The frames of `stream` up to its end. The connection must stay open.
fn read_response(connection: &mut RawHttp2, stream: u32) -> Vec<Frame> {
    let mut frames = Vec::new();
    loop {
        let frame = connection.read().expect("the server keeps the connection");
        assert_ne!(frame.kind, kind::GOAWAY, "{frame:?}");
        if frame.stream != stream {
            continue;
        }
        let ends = frame.kind != kind::RST_STREAM && frame.flags & flag::END_STREAM != 0;
        frames.push(frame);
        if ends {
            return frames;
        }
    }
}

#[test]
fn two_hundred_cancelled_requests_leave_a_certify_of_their_connection_alone() {
    let (_setup, _server, address, metrics) = spawn(Setup::one_slow_request());
    let mut connection = RawHttp2::connect(address);
    let certify: CertifyRequest = certify_with_votes(floats(&[CLEAR_INPUT]), 40);
    assert!(connection.send(&call(1, CERTIFY, &certify.encode_to_vec())));
    let mut burst = Vec::new();
    for request in 0..200 {
        let stream = 3 + 2 * request;
        burst.extend(request_headers(stream, PREDICT, &[]));
        burst.extend(reset(stream));
    }
    assert!(connection.send(&burst));
    let response = read_response(&mut connection, 1);
    let data: Vec<&Frame> = response.iter().filter(|frame| frame.kind == kind::DATA).collect();
    assert!(
        data.iter().any(|frame| !frame.payload.is_empty()),
        "the Certify has no answer: {response:?}"
    );
    let scrape = Scrape::poll_until(metrics, |scrape| {
        scrape.sum("certimix_request_resets_total", "") >= 200.0
    });
    assert!((scrape.sum("certimix_request_resets_total", "") - 200.0).abs() < 0.5);
    assert!(scrape.value(RESET_FLOODS) < 0.5);
}

/// Many times the limits of h2, and more than may be reset before they begin.
#[test]
fn begun_requests_may_be_cancelled_without_a_limit() {
    let (_setup, _server, address, metrics) = spawn(Setup::pair("linear_g", "linear_h"));
    let mut connection = RawHttp2::connect(address);
    let mut requests = Requests::new(PREDICT);
    for round in 0..10 {
        let (mut opened, mut resets) = (Vec::new(), Vec::new());
        for _ in 0..500 {
            let (stream, headers) = requests.next(flag::NONE);
            opened.extend(headers);
            resets.extend(reset(stream));
        }
        opened.extend(frame(kind::PING, flag::NONE, 0, b"certimix"));
        assert!(connection.send(&opened));
        // The server has read the requests before the PING.
        let pong = connection.read_until(|frame| frame.kind == kind::PING || frame.kind == kind::GOAWAY);
        assert_eq!(pong.map(|frame| frame.kind), Some(kind::PING), "round {round}");
        assert!(connection.send(&resets));
    }
    let (stream, headers) = requests.next(flag::NONE);
    assert!(connection.send(&headers));
    assert!(connection.send(&frame(kind::DATA, flag::END_STREAM, stream, &grpc_message(0, &[]))));
    read_response(&mut connection, stream);
    let begun = "certimix_request_resets_total{begun=\"yes\"}";
    let scrape = Scrape::poll_until(metrics, |scrape| {
        scrape.sum("certimix_request_resets_total", "") >= 5000.0
    });
    assert!(scrape.value(begun) >= 4900.0, "{:?}", scrape.series);
    assert!(scrape.value(RESET_FLOODS) < 0.5);
}

/// CVE-2023-44487.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_resets_is_ended() {
    let (_setup, server, address, metrics) = spawn(Setup::pair("linear_g", "linear_h"));
    let honest = HonestCaller::start(address).await;
    let flood = Flood::start(address, 1, attacks::rapid_resets);
    flood.wait_until_ended(2).await;
    honest.wait_for_answers(3).await;
    let results = tokio::task::spawn_blocking(|| flood.stop()).await.unwrap();
    assert!(!results.goaways.keys().any(|code| *code != 11), "{results:?}");
    honest.assert_unharmed().await;
    let line = server.line_with("connection ended because of its peer");
    assert!(line.contains("too many RST_STREAM frames"), "{line}");
    Scrape::poll_until(metrics, |scrape| scrape.value(RESET_FLOODS) >= 2.0);
}
