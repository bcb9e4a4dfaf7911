//! Peers that are slow, silent, too many or too large: cut off, while all others are served.

use std::io::{ErrorKind, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::support::messages::{CLEAR_INPUT, floats};
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

async fn hung_up(raw: RawConnection) -> Vec<u8> {
    tokio::task::spawn_blocking(|| raw.read_until_closed()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_frame_and_then_nothing_is_cut_off() {
    let setup = setup()
        .text("server.handshake_timeout", "300ms")
        .text("server.idle_timeout", "300ms");
    let server = ServerProcess::spawn(&setup.write());
    let address = server.address();
    let half_a_frame = [HTTP2_PREFACE, PARTIAL_HEADERS_FRAME].concat();
    let silent = [&[][..], &HTTP2_PREFACE[..10], HTTP2_PREFACE, &half_a_frame]
        .map(|said| RawConnection::connect_and_send(address, said));
    let mut ends = silent
        .map(|raw| tokio::spawn(hung_up(raw)))
        .into_iter()
        .collect::<Vec<_>>();
    // All others are served meanwhile, and are not taken for idle.
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
async fn half_a_request_and_then_nothing_is_past_its_deadline() {
    let setup = setup().text("server.max_request_time", "300ms");
    let server = ServerProcess::spawn(&setup.write());
    let mut halves = channel(server.address()).await;
    let mut client = Client::new(halves.clone());
    for method in ["Predict", "Certify", "CertifyStream"] {
        for timeout in [None, Some("1H")] {
            let answer = post_partial_message(&mut halves, method, timeout).await;
            let status = Status::from_header_map(answer.headers()).expect("a status in the headers");
            assert_eq!(status.code(), Code::DeadlineExceeded, "{method} {status:?}");
            assert!(status.message().contains("did not come whole"), "{status:?}");
            // On the same connection.
            predict(&mut client).await;
        }
    }
    // A stream may be silent between its messages, not within one.
    let answer = post_partial_message(&mut halves, "PredictStream", None).await;
    let status = status_in_trailers(answer).await;
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    predict(&mut client).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_connections_than_allowed_are_refused() {
    let setup = setup().with("server.max_connections", 3);
    let server = ServerProcess::spawn(&setup.write());
    let address = server.address();
    let mut client = Client::new(channel(address).await);
    predict(&mut client).await;
    let held = [(); 2].map(|()| RawConnection::connect_and_send(address, HTTP2_PREFACE));
    for raw in &held {
        // The server's own greeting: it was let in.
        let mut byte = [0];
        assert_eq!(raw.0.peek(&mut byte).unwrap(), 1);
    }
    for _ in 0..20 {
        assert!(hung_up(RawConnection::connect(address)).await.is_empty());
        predict(&mut client).await;
    }
    let told = server.line_with("connections were refused");
    assert!(told.contains("server.max_connections"), "{told}");
    // Those that were there are not touched, and whoever leaves makes room.
    assert!(held.iter().all(RawConnection::is_open));
    drop(held);
    let start = Instant::now();
    loop {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        if let Ok(channel) = endpoint.connect().await
            && Client::new(channel)
                .predict(messages::predict_request(floats(&[CLEAR_INPUT])))
                .await
                .is_ok()
        {
            break;
        }
        assert!(start.elapsed() < TEST_TIMEOUT, "no room is made");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn headers_that_are_too_large_are_refused() {
    let setup = setup().with("server.max_header_bytes", 2048);
    let server = ServerProcess::spawn(&setup.write());
    let mut client = Client::new(channel(server.address()).await);
    let asked = |bytes: usize| {
        let mut request = tonic::Request::new(messages::predict_request(floats(&[CLEAR_INPUT])));
        let value = MetadataValue::try_from("x".repeat(bytes)).unwrap();
        request.metadata_mut().insert("x-note", value);
        request
    };
    client.predict(asked(1000)).await.unwrap();
    client.predict(asked(3000)).await.unwrap_err();
    predict(&mut client).await;
}

/// A connection whose peer reads nothing does not live for ever, and neither do the answers that wait for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_never_reads_is_cut_off() {
    let setup = setup()
        .text("server.keepalive_timeout", "300ms")
        .text("server.keepalive_interval", "1h")
        .text("server.idle_timeout", "1h");
    let server = ServerProcess::spawn(&setup.write());
    let address = server.address();
    let mut client = Client::new(channel(address).await);
    let flood = tokio::task::spawn_blocking(move || {
        let mut raw = RawConnection::connect_and_send(address, HTTP2_PREFACE);
        // Each ping wants an answer, and none is read.
        let pings = b"\0\0\x08\x06\0\0\0\0\0certimix".repeat(1000);
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < TEST_TIMEOUT, "the server never hangs up");
            match raw.0.write_all(&pings) {
                Ok(()) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    panic!("the server neither reads nor hangs up")
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
async fn answers_that_nobody_takes_end_their_connection() {
    let setup = setup().text("server.idle_timeout", "300ms");
    let server = ServerProcess::spawn(&setup.write());
    let endpoint = Endpoint::from_shared(format!("http://{}", server.address())).unwrap();
    // No byte of an answer's body may be sent.
    let shut = endpoint.initial_stream_window_size(0).connect().await.unwrap();
    let mut client = Client::new(shut);
    let status = tokio::time::timeout(
        TEST_TIMEOUT,
        client.predict(messages::predict_request(floats(&[CLEAR_INPUT]))),
    )
    .await;
    status.expect("the answer waits for ever").unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_idle_come_back_by_themselves() {
    let setup = setup()
        .text("server.idle_timeout", "50ms")
        .text("log.filter", "certimix=debug");
    let server = ServerProcess::spawn(&setup.write());
    let mut client = Client::new(channel(server.address()).await);
    for _ in 0..3 {
        predict(&mut client).await;
        server.line_with("asked to end why=Idle");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    predict(&mut client).await;
}
