//! One connection that keeps the wire's thread busy does not take it from the others.

use std::net::SocketAddr;
use std::time::Duration;

use crate::attacks;
use crate::flood::{Attack, Flood};
use crate::honest_caller::HonestCaller;
use crate::raw_http2::{RawHttp2, flag, frame, grpc_message, kind, request_headers};
use crate::support::Setup;
use crate::support::process::ServerProcess;
use crate::support::scrape::Scrape;

/// All attacks with their names.
const ATTACKS: &[(&str, Attack)] = &[
    ("no attack", attacks::nothing),
    ("PredictStream of empty messages", attacks::empty_messages),
    ("the same, one message a frame", attacks::one_message_a_frame),
    ("DATA of 1 byte", attacks::one_byte_data),
    ("DATA without bytes", attacks::empty_data),
    ("DATA of padding alone", attacks::padded_data),
    ("SETTINGS", attacks::settings_frames),
    (
        "SETTINGS beside 900 open streams",
        attacks::settings_beside_open_streams,
    ),
    ("SETTINGS acknowledgements", attacks::settings_acks),
    ("PING", attacks::pings),
    ("PING acknowledgements", attacks::ping_acks),
    ("WINDOW_UPDATE of the connection", attacks::window_updates),
    ("WINDOW_UPDATE of a stream", attacks::stream_window_updates),
    ("PRIORITY", attacks::priorities),
    ("unknown frames", attacks::unknown_frames),
    ("HEADERS with RST_STREAM", attacks::rapid_resets),
    ("RST_STREAM of ended streams", attacks::late_resets),
    ("DATA of ended streams", attacks::late_data),
    ("HEADERS beyond the limit of streams", attacks::refused_requests),
    ("CONTINUATION", attacks::continuations),
    ("header bombs", attacks::header_bombs),
    ("requests to unknown paths", attacks::unknown_paths),
    ("invalid Predicts", attacks::invalid_requests),
    ("health checks", attacks::health_checks),
    ("GetModelInfo", attacks::model_infos),
    ("gzip bombs", attacks::gzip_bombs),
    ("small gzip bombs", attacks::small_gzip_bombs),
    ("PredictStream of gzip bombs", attacks::streamed_gzip_bombs),
    ("the same, small gzip bombs", attacks::small_streamed_gzip_bombs),
];

/// The server of a test, with its metrics.
fn server() -> (Setup, ServerProcess, SocketAddr, SocketAddr) {
    let setup = Setup::pair("linear_g", "linear_h").text("metrics.listen", "127.0.0.1:0");
    let server = ServerProcess::spawn(&setup.write());
    let (address, metrics) = server.addresses();
    (setup, server, address, metrics.unwrap())
}

/// A connection that floods frames of one kind is ended with ENHANCE_YOUR_CALM, counted and logged,
/// and nobody else notices.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_frames_are_ended() {
    let floods: [(&str, Attack); 11] = [
        ("SETTINGS", attacks::settings_frames),
        ("SETTINGS", attacks::settings_beside_open_streams),
        ("PING", attacks::pings),
        ("PING", attacks::ping_acks),
        ("empty DATA", attacks::empty_data),
        ("WINDOW_UPDATE", attacks::window_updates),
        ("WINDOW_UPDATE", attacks::stream_window_updates),
        ("useless", attacks::priorities),
        ("useless", attacks::unknown_frames),
        ("useless", attacks::late_resets),
        ("refused HEADERS", attacks::refused_requests),
    ];
    let (_setup, server, address, metrics) = server();
    let honest = HonestCaller::start(address).await;
    let mut ended = 0;
    for (name, frames) in floods {
        let flood = Flood::start(address, 1, frames);
        flood.wait_until_ended(1).await;
        let results = tokio::task::spawn_blocking(|| flood.stop()).await.unwrap();
        assert!(!results.goaways.keys().any(|code| *code != 11), "{name}: {results:?}");
        ended += results.ended;
        honest.wait_for_answers(3).await;
    }
    assert!(ended >= floods.len());
    honest.assert_unharmed().await;
    let line = server.line_with("connection ended because of its peer");
    assert!(line.contains("SETTINGS") && line.contains("127.0.0.1"), "{line}");
    let ended = ended as f64;
    Scrape::poll_until(metrics, |scrape| {
        scrape.value("certimix_connection_failures_total{reason=\"flood\"}") >= ended
    });
}

/// The server ends a connection whose peer does not read the answers, however many are written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_reads_no_answer_is_disconnected() {
    let setup = Setup::pair("linear_g", "linear_h")
        .text("server.keepalive_timeout", "300ms")
        .text("server.keepalive_interval", "1h")
        .text("server.idle_timeout", "1h")
        .text("log.filter", "certimix=debug");
    let server = ServerProcess::spawn(&setup.write());
    let address = server.address();
    let honest = HonestCaller::start(address).await;
    let mut connection = RawHttp2::connect(address);
    let mut frames = attacks::endless_windows();
    // Each message has an answer of many times its size. The messages fit the first window of a
    // stream, which is 64 KiB.
    let messages = grpc_message(0, &[]).repeat(3000);
    for stream in (0..25).map(|index| 2 * index + 1) {
        frames.extend(request_headers(stream, attacks::PREDICT_STREAM, &[]));
        for _ in 0..4 {
            frames.extend(frame(kind::DATA, flag::NONE, stream, &messages));
        }
    }
    connection.send(&frames);
    server.line_with("connection failed");
    honest.assert_unharmed().await;
}

/// h2 itself ends floods of CONTINUATION and too large headers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_headers_are_ended() {
    let floods: [Attack; 2] = [attacks::continuations, attacks::header_bombs];
    let (_setup, _server, address, metrics) = server();
    let honest = HonestCaller::start(address).await;
    for frames in floods {
        let flood = Flood::start(address, 1, frames);
        flood.wait_until_ended(1).await;
        tokio::task::spawn_blocking(|| flood.stop()).await.unwrap();
        honest.wait_for_answers(3).await;
    }
    honest.assert_unharmed().await;
    Scrape::poll_until(metrics, |scrape| {
        scrape.value("certimix_connection_failures_total{reason=\"flood\"}") >= 2.0
    });
}

/// A connection that sends what the server may not refuse takes turns with the others: between two
/// answers to an honest caller, it gets a bounded number of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_connection_takes_turns() {
    // Without turns, the attacker gets 28,000 of its frames or 50,000 of its messages for each answer:
    // what the flow control lets it send at once. With turns it gets 1000 in the same time. Frames
    // that wait in the sockets count too, at most 262,144 of them.
    const ANSWERS: usize = 100;
    const LARGEST_TURN: usize = 18_000;
    let floods: [(&str, Attack, usize); 2] = [
        ("messages", attacks::empty_messages, 5),
        ("DATA of 1 byte", attacks::one_byte_data, 10),
    ];
    let (_setup, _server, address, _) = server();
    for (name, frames, bytes) in floods {
        let honest = HonestCaller::start(address).await;
        honest.wait_for_answers(3).await;
        let flood = Flood::start(address, 1, frames);
        honest.wait_for_answers(ANSWERS).await;
        let results = tokio::task::spawn_blocking(|| flood.stop()).await.unwrap();
        let honest = honest.stop().await;
        assert!(honest.failures.is_empty(), "{name}: {honest:?}");
        let turn = results.bytes / bytes / honest.answered;
        assert!(turn < LARGEST_TURN, "{name}: {turn} for each answer");
    }
}

/// Measures what an honest caller gets beside each attack. `CERTIMIX_ATTACK_SECONDS` is the time of
/// each; without it this test does nothing. `CERTIMIX_ATTACK_ADDRESS` names a running server, which
/// serves the models of this test; `CERTIMIX_ATTACK` selects attacks by a part of their name, and
/// `CERTIMIX_ATTACK_CONNECTIONS` is the number of attackers.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn latency_beside_each_attack() {
    let Some(seconds) = variable("CERTIMIX_ATTACK_SECONDS") else {
        return;
    };
    let duration = Duration::from_secs_f64(seconds.parse().unwrap());
    let setup = Setup::pair("linear_g", "linear_h");
    let (_server, address): (_, SocketAddr) = match variable("CERTIMIX_ATTACK_ADDRESS") {
        Some(address) => (None, address.parse().unwrap()),
        None => {
            let server = ServerProcess::spawn(&setup.write());
            let address = server.address();
            (Some(server), address)
        }
    };
    let connections = variable("CERTIMIX_ATTACK_CONNECTIONS").map_or(1, |count| count.parse().unwrap());
    let selected = variable("CERTIMIX_ATTACK").unwrap_or_default();
    eprintln!(
        "{:<38}{:>9}{:>9}{:>9}{:>9}{:>7}",
        "attack", "answered", "p50 ms", "p99 ms", "max ms", "ended"
    );
    for (name, frames) in ATTACKS.iter().filter(|(name, _)| name.contains(&selected)) {
        let honest = HonestCaller::start(address).await;
        let flood = Flood::start(address, connections, *frames);
        tokio::time::sleep(duration).await;
        let results = honest.stop().await;
        let attack = tokio::task::spawn_blocking(|| flood.stop()).await.unwrap();
        let millis = |share| results.latency(share).as_secs_f64() * 1e3;
        eprintln!(
            "{name:<38}{:>9}{:>9.2}{:>9.2}{:>9.2}{:>7}  {:.1} MB, {} streams, goaways {:?} {:?}",
            results.answered,
            millis(0.5),
            millis(0.99),
            millis(1.0),
            attack.ended,
            attack.bytes as f64 / 1e6,
            attack.ended_streams,
            attack.goaways,
            results.failures
        );
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
