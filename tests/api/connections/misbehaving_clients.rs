//! The server closes connections of clients that are slow or silent, and refuses too many
//! connections and too large headers, while it serves all other clients.

use std::io::{ErrorKind, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::support::messages::{CLEAR_INPUT, certify_with_votes, floats};
use crate::support::partial_request::{post_partial_message, status_in_trailers};
use crate::support::process::ServerProcess;
use crate::support::raw_connection::{HTTP2_PREFACE, PARTIAL_HEADERS_FRAME, RawConnection};
use crate::support::server::{Client, TEST_TIMEOUT};
use crate::support::{Setup, messages};

fn setup() -> Setup {
    Setup::pair("linear_g", "linear_h")
}

async fn channel(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    endpoint.timeout(TEST_TIMEOUT).connect().await.unwrap()
}

async fn predict(client: &mut Client) {
    client
        .predict(messages::predict_request(floats(&[CLEAR_INPUT])))
        .await
        .unwrap();
}

async fn read_until_closed(raw: RawConnection) -> Vec<u8> {
    tokio::task::spawn_blocking(|| raw.read_until_closed()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_with_an_incomplete_frame_are_closed() {
    let setup = setup()
        .text("server.handshake_timeout", "300ms")
        .text("server.idle_timeout", "300ms");
    let server = ServerProcess::spawn(&setup.write());
    let address = server.address();
    let partial_frame = [HTTP2_PREFACE, PARTIAL_HEADERS_FRAME].concat();
    let stalled = [&[][..], &HTTP2_PREFACE[..10], HTTP2_PREFACE, &partial_frame]
        .map(|bytes| RawConnection::connect_and_send(address, bytes));
    let mut ends = stalled
        .map(|raw| tokio::spawn(read_until_closed(raw)))
        .into_iter()
        .collect::<Vec<_>>();
    // The server answers other clients meanwhile, and does not treat them as idle.
    let mut client = Client::new(channel(address).await);
    while !ends.iter().all(tokio::task::JoinHandle::is_finished) {
        predict(&mut client).await;
    }
    for end in ends.drain(..) {
        end.await.unwrap();
    }
    predict(&mut client).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_incomplete_request_exceeds_its_deadline() {
    let setup = setup().text("server.max_request_time", "300ms");
    let server = ServerProcess::spawn(&setup.write());
    let mut incomplete = channel(server.address()).await;
    let mut client = Client::new(incomplete.clone());
    for method in ["Predict", "Certify", "CertifyStream"] {
        for timeout in [None, Some("1H")] {
            let response = post_partial_message(&mut incomplete, method, timeout).await;
            let status = Status::from_header_map(response.headers()).expect("a status in the headers");
            assert_eq!(status.code(), Code::DeadlineExceeded, "{method} {status:?}");
            assert!(status.message().contains("did not come whole"), "{status:?}");
            // The connection still works.
            predict(&mut client).await;
        }
    }
    // A stream may pause between messages, but not within one.
    let response = post_partial_message(&mut incomplete, "PredictStream", None).await;
    let status = status_in_trailers(response).await;
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    predict(&mut client).await;
}

/// Each open connection has a request in progress, so none of them makes room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_beyond_the_limit_are_refused_while_all_are_busy() {
    let setup = Setup::one_slow_request()
        .with("scheduler.queue_rows", 64)
        .with("server.max_connections", 3);
    let server = ServerProcess::spawn(&setup.write());
    let address = server.address();
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut client = Client::new(channel(address).await);
        let votes = certify_with_votes(floats(&[CLEAR_INPUT]), 1_000_000);
        let mut events = client.certify_stream(votes).await.unwrap().into_inner();
        // The first event shows that the server works on the request.
        events.message().await.unwrap().unwrap();
        open.push((client, events));
    }
    for _ in 0..20 {
        assert!(read_until_closed(RawConnection::connect(address)).await.is_empty());
    }
    let line = server.line_with("connections were refused");
    assert!(line.contains("server.max_connections"), "{line}");
    // The open connections are unaffected, and each that closes admits another.
    for (_, events) in &mut open {
        events.message().await.unwrap().unwrap();
    }
    drop(open.pop());
    let start = Instant::now();
    while RawConnection::connect_and_send(address, HTTP2_PREFACE)
        .0
        .peek(&mut [0])
        .ok()
        != Some(1)
    {
        assert!(start.elapsed() < TEST_TIMEOUT, "no connection is accepted");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn too_large_headers_are_refused() {
    let setup = setup().with("server.max_header_bytes", 2048);
    let server = ServerProcess::spawn(&setup.write());
    let mut client = Client::new(channel(server.address()).await);
    let request_with_header = |bytes: usize| {
        let mut request = tonic::Request::new(messages::predict_request(floats(&[CLEAR_INPUT])));
        let value = MetadataValue::try_from("x".repeat(bytes)).unwrap();
        request.metadata_mut().insert("x-note", value);
        request
    };
    client.predict(request_with_header(1000)).await.unwrap();
    client.predict(request_with_header(3000)).await.unwrap_err();
    predict(&mut client).await;
}

/// The server closes a connection whose client reads nothing, and drops the frames that wait for
/// it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_reads_is_disconnected() {
    let setup = setup()
        .text("server.keepalive_timeout", "300ms")
        .text("server.keepalive_interval", "1h")
        .text("server.idle_timeout", "1h");
    let server = ServerProcess::spawn(&setup.write());
    let address = server.address();
    let mut client = Client::new(channel(address).await);
    let flood = tokio::task::spawn_blocking(move || {
        let mut raw = RawConnection::connect_and_send(address, HTTP2_PREFACE);
        // Each PING requires a reply, and the client reads none.
        let pings = b"\0\0\x08\x06\0\0\0\0\0certimix".repeat(1000);
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < TEST_TIMEOUT, "the server never closes the connection");
            match raw.0.write_all(&pings) {
                Ok(()) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    panic!("the server neither reads nor closes the connection")
                }
                Err(_) => return,
            }
        }
    });
    while !flood.is_finished() {
        predict(&mut client).await;
    }
    flood.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn responses_that_are_never_read_end_the_connection() {
    let setup = setup().text("server.idle_timeout", "300ms");
    let server = ServerProcess::spawn(&setup.write());
    let endpoint = Endpoint::from_shared(format!("http://{}", server.address())).unwrap();
    // The flow-control window allows no byte of a response body.
    let closed_window = endpoint.initial_stream_window_size(0).connect().await.unwrap();
    let mut client = Client::new(closed_window);
    let status = tokio::time::timeout(
        TEST_TIMEOUT,
        client.predict(messages::predict_request(floats(&[CLEAR_INPUT]))),
    )
    .await;
    status.expect("the connection is never closed").unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_idle_client_reconnects() {
    let setup = setup()
        .text("server.idle_timeout", "50ms")
        .text("log.filter", "certimix=debug");
    let server = ServerProcess::spawn(&setup.write());
    let mut client = Client::new(channel(server.address()).await);
    for _ in 0..3 {
        predict(&mut client).await;
        server.line_with("connection closing reason=no request for server.idle_timeout");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    predict(&mut client).await;
}
