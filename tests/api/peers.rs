//! Peers that are slow, silent, too many or too large: cut off, while all others are served.

use std::io::{ErrorKind, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::support::half::{ending, post_half};
use crate::support::process::Served;
use crate::support::raw::{GREETING, HALF_A_FRAME, Raw};
use crate::support::server::{Client, PATIENCE};
use crate::support::wire::{CLEAR, floats};
use crate::support::{Setup, wire};

fn setup() -> Setup {
    Setup::pair("linear_g", "linear_h")
}

async fn channel(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    endpoint.timeout(PATIENCE).connect().await.unwrap()
}

async fn predict(client: &mut Client) {
    client.predict(wire::predict(floats(&[CLEAR]))).await.unwrap();
}

async fn hung_up(raw: Raw) -> Vec<u8> {
    tokio::task::spawn_blocking(|| raw.hung_up()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_frame_and_then_nothing_is_cut_off() {
    let setup = setup()
        .text("server.handshake_timeout", "300ms")
        .text("server.idle_timeout", "300ms");
    let served = Served::spawn(&setup.write());
    let address = served.address();
    let half_a_frame = [GREETING, HALF_A_FRAME].concat();
    let silent = [&[][..], &GREETING[..10], GREETING, &half_a_frame].map(|said| Raw::saying(address, said));
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
    let served = Served::spawn(&setup.write());
    let mut halves = channel(served.address()).await;
    let mut client = Client::new(halves.clone());
    for method in ["Predict", "Certify", "CertifyStream"] {
        for timeout in [None, Some("1H")] {
            let answer = post_half(&mut halves, method, timeout).await;
            let status = Status::from_header_map(answer.headers()).expect("a status in the headers");
            assert_eq!(status.code(), Code::DeadlineExceeded, "{method} {status:?}");
            assert!(status.message().contains("did not come whole"), "{status:?}");
            // On the same connection.
            predict(&mut client).await;
        }
    }
    // A stream may be silent between its messages, not within one.
    let answer = post_half(&mut halves, "PredictStream", None).await;
    let status = ending(answer).await;
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    predict(&mut client).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_connections_than_allowed_are_refused() {
    let setup = setup().with("server.max_connections", 3);
    let served = Served::spawn(&setup.write());
    let address = served.address();
    let mut client = Client::new(channel(address).await);
    predict(&mut client).await;
    let held = [(); 2].map(|()| Raw::saying(address, GREETING));
    for raw in &held {
        // The server's own greeting: it was let in.
        let mut byte = [0];
        assert_eq!(raw.0.peek(&mut byte).unwrap(), 1);
    }
    for _ in 0..20 {
        assert!(hung_up(Raw::connect(address)).await.is_empty());
        predict(&mut client).await;
    }
    let told = served.line_with("connections were refused");
    assert!(told.contains("server.max_connections"), "{told}");
    // Those that were there are not touched, and whoever leaves makes room.
    assert!(held.iter().all(Raw::is_open));
    drop(held);
    let start = Instant::now();
    loop {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        if let Ok(channel) = endpoint.connect().await
            && Client::new(channel)
                .predict(wire::predict(floats(&[CLEAR])))
                .await
                .is_ok()
        {
            break;
        }
        assert!(start.elapsed() < PATIENCE, "no room is made");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn headers_that_are_too_large_are_refused() {
    let setup = setup().with("server.max_header_bytes", 2048);
    let served = Served::spawn(&setup.write());
    let mut client = Client::new(channel(served.address()).await);
    let asked = |bytes: usize| {
        let mut request = tonic::Request::new(wire::predict(floats(&[CLEAR])));
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
    let served = Served::spawn(&setup.write());
    let address = served.address();
    let mut client = Client::new(channel(address).await);
    let flood = tokio::task::spawn_blocking(move || {
        let mut raw = Raw::saying(address, GREETING);
        // Each ping wants an answer, and none is read.
        let pings = b"\0\0\x08\x06\0\0\0\0\0certimix".repeat(1000);
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < PATIENCE, "the server never hangs up");
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
    let served = Served::spawn(&setup.write());
    let endpoint = Endpoint::from_shared(format!("http://{}", served.address())).unwrap();
    // No byte of an answer's body may be sent.
    let shut = endpoint.initial_stream_window_size(0).connect().await.unwrap();
    let mut client = Client::new(shut);
    let status = tokio::time::timeout(PATIENCE, client.predict(wire::predict(floats(&[CLEAR])))).await;
    status.expect("the answer waits for ever").unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_idle_come_back_by_themselves() {
    let setup = setup()
        .text("server.idle_timeout", "50ms")
        .text("log.filter", "certimix=debug");
    let served = Served::spawn(&setup.write());
    let mut client = Client::new(channel(served.address()).await);
    for _ in 0..3 {
        predict(&mut client).await;
        served.line_with("connection closing reason=Idle");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    predict(&mut client).await;
}
