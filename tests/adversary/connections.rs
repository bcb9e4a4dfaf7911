//! Connections that are opened and held. A new honest caller is served beside all of them, and a
//! request in progress is never cut off for a new connection.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::peers::{SilentConnections, channel_from, connect_from, host};
use crate::raw_http2::{RawHttp2, flag, frame, grpc_message, kind, request_headers};
use crate::support::Setup;
use crate::support::editable_server::EditableServer;
use crate::support::messages::{CLEAR_INPUT, certify_with_votes, floats, predict_request};
use crate::support::predict_stream::PredictStreamClient;
use crate::support::raw_connection::{HTTP2_PREFACE, PARTIAL_HEADERS_FRAME, RawConnection};
use crate::support::scrape::Scrape;
use crate::support::server::Client;

const SLOTS: usize = 32;
/// The attackers' addresses begin here, and those of honest callers at 127.0.0.1.
const ATTACKERS: u16 = 100;

fn setup() -> Setup {
    Setup::pair("linear_g", "linear_h").with("server.max_connections", SLOTS)
}

/// Connects from a new address and predicts, `count` times.
async fn assert_new_callers_are_served(address: SocketAddr, count: u16) {
    for number in 1..=count {
        predict_from(host(number), address).await;
    }
}

/// Connects from `host` and predicts.
async fn predict_from(host: Ipv4Addr, address: SocketAddr) -> Client {
    let mut client = Client::new(channel_from(host, address).await.unwrap());
    client.predict(predict_request(floats(&[CLEAR_INPUT]))).await.unwrap();
    client
}

fn evicted(scrape: &Scrape, reason: &str) -> f64 {
    scrape.value(&format!("certimix_connection_evictions_total{{reason=\"{reason}\"}}"))
}

/// The evictions for any reason.
fn all_evicted(scrape: &Scrape) -> f64 {
    scrape.sum("certimix_connection_evictions_total", "")
}

fn refused(scrape: &Scrape) -> f64 {
    scrape.sum("certimix_connection_refusals_total", "")
}

/// The bytes of a request that is answered, with one that is not: the body is missing.
fn unfinished_request() -> Vec<u8> {
    [
        HTTP2_PREFACE,
        &request_headers(1, "/certimix.v1.MixedClassifier/Predict", &[]),
    ]
    .concat()
}

/// A health check, after which the connection is idle.
fn finished_request() -> Vec<u8> {
    let headers = request_headers(1, "/grpc.health.v1.Health/Check", &[]);
    let body = frame(kind::DATA, flag::END_STREAM, 1, &grpc_message(0, &[]));
    [HTTP2_PREFACE, &headers, &body].concat()
}

/// A health watch, which has no end.
fn watch() -> Vec<u8> {
    let headers = request_headers(1, "/grpc.health.v1.Health/Watch", &[]);
    let body = frame(kind::DATA, flag::END_STREAM, 1, &grpc_message(0, &[]));
    [HTTP2_PREFACE, &headers, &body].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_caller_is_served_beside_connections_that_fill_the_table() {
    let server = EditableServer::start(setup());
    let half_headers = [HTTP2_PREFACE, PARTIAL_HEADERS_FRAME].concat();
    let attacks = [
        ("silence", vec![]),
        ("half a preface", HTTP2_PREFACE[..10].to_vec()),
        ("a preface", HTTP2_PREFACE.to_vec()),
        ("half of the headers", half_headers),
        ("a request without its body", unfinished_request()),
        ("a finished request", finished_request()),
        ("a watch", watch()),
    ];
    for (name, bytes) in attacks {
        for hosts in [1, 20] {
            let address = server.address;
            let before = all_evicted(&server.scrape());
            let bytes = bytes.clone();
            let open = move || SilentConnections::open(address, 2 * SLOTS, ATTACKERS, hosts, &bytes);
            let attack = tokio::task::spawn_blocking(open).await.unwrap();
            assert_new_callers_are_served(address, 5).await;
            let scrape = server.scrape();
            assert!(all_evicted(&scrape) > before, "{name} from {hosts}");
            assert_eq!(refused(&scrape), 0.0, "{name} from {hosts}");
            // The attackers hold no more than the table.
            let still_open = tokio::task::spawn_blocking(move || attack.count_open()).await.unwrap();
            assert!(still_open <= SLOTS + SLOTS / 8, "{name} from {hosts}: {still_open}");
        }
    }
}

/// Every arrival of a flood takes a slot, and honest callers come and go meanwhile. The flood stays
/// below the rate that displaces connections in their handshake: a quarter of the slots a round trip.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_callers_are_served_beside_a_flood_of_connections() {
    const MANY_SLOTS: usize = 256;
    let server = EditableServer::start(setup().with("server.max_connections", MANY_SLOTS));
    let address = server.address;
    let (stopped, is_full) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let flood = tokio::spawn({
        let (stopped, is_full) = (Arc::clone(&stopped), Arc::clone(&is_full));
        async move {
            let mut held = std::collections::VecDeque::new();
            for number in (0..20).cycle() {
                if stopped.load(Relaxed) {
                    return;
                }
                held.push_back(connect_from(host(ATTACKERS + number), address).await);
                if held.len() > MANY_SLOTS + 100 {
                    is_full.store(true, Relaxed);
                    held.pop_front();
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
        }
    });
    while !is_full.load(Relaxed) {
        tokio::task::yield_now().await;
    }
    assert_new_callers_are_served(address, 30).await;
    let scrape = server.scrape();
    stopped.store(true, Relaxed);
    flood.await.unwrap();
    // Silence is also cut off early, so that the table need not be full all the time.
    assert!(all_evicted(&scrape) > 0.0);
    assert_eq!(refused(&scrape), 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_in_progress_outlives_a_flood_of_connections() {
    let server = EditableServer::start(Setup::one_slow_request().with("server.max_connections", 8));
    let channel = channel_from(host(1), server.address).await.unwrap();
    let mut client = Client::new(channel);
    let votes = certify_with_votes(floats(&[CLEAR_INPUT]), 60);
    let mut events = client.certify_stream(votes).await.unwrap().into_inner();
    events.message().await.unwrap().unwrap();
    let address = server.address;
    let bytes = finished_request();
    // HealthCheckResponse { status: SERVING }: each attacker is idle before the next arrives.
    let answer = grpc_message(2, &[8, 1]);
    let open = move || SilentConnections::open_answered(address, 64, ATTACKERS, 20, &bytes, &answer);
    let attack = tokio::task::spawn_blocking(open).await.unwrap();
    // The caller reads the certificate to its end.
    while events.message().await.unwrap().is_some() {}
    assert!(evicted(&server.scrape(), "idle") > 0.0);
    tokio::task::spawn_blocking(move || drop(attack)).await.unwrap();
}

/// Streams and watches may be silent for ever, and give way when slots run out: with a status that
/// tells their callers to connect again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_streams_give_way_and_learn_why() {
    let server = EditableServer::start(setup().with("server.max_connections", 4));
    let address = server.address;
    let mut stream = PredictStreamClient::open(Client::new(channel_from(host(1), address).await.unwrap())).await;
    stream.send(predict_request(floats(&[CLEAR_INPUT])));
    stream.next_response().await;
    let mut health = HealthClient::new(channel_from(host(2), address).await.unwrap());
    let request = HealthCheckRequest::default();
    let mut watch = health.watch(request).await.unwrap().into_inner();
    watch.message().await.unwrap().unwrap();
    // They stay while slots are free, and go one after the other.
    let mut callers = Vec::new();
    for number in 3..6 {
        callers.push(predict_from(host(number), address).await);
    }
    assert_eq!(stream.end_status().await.code(), Code::Unavailable);
    // The first has left before the second must go, so that both have time to close.
    Scrape::poll_until(server.metrics, |scrape| {
        scrape.value("certimix_connections_open") == 4.0
    });
    callers.push(predict_from(host(6), address).await);
    let status = watch.message().await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert_eq!(evicted(&server.scrape(), "idle"), 2.0);
}

/// A health check shows no token, so it does not protect a connection where tokens are required.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_without_a_token_give_way_to_callers_with_one() {
    const TOKEN: &str = "0123456789abcdef";
    let setup = setup()
        .with("server.max_connections", 8)
        .text("server.bearer_token_file", "tokens");
    setup.file("tokens", TOKEN.as_bytes());
    let server = EditableServer::start(setup);
    let address = server.address;
    let mut client = Client::new(channel_from(host(1), address).await.unwrap());
    let mut predict = async || {
        let mut request = tonic::Request::new(predict_request(floats(&[CLEAR_INPUT])));
        let token = format!("Bearer {TOKEN}").parse().unwrap();
        request.metadata_mut().insert("authorization", token);
        client.predict(request).await
    };
    predict().await.unwrap();
    let bytes = finished_request();
    let attack = tokio::task::spawn_blocking(move || SilentConnections::open(address, 40, ATTACKERS, 20, &bytes));
    let attack = attack.await.unwrap();
    // The connection of the caller with a token is the longest idle, and stays.
    predict().await.unwrap();
    let scrape = server.scrape();
    assert!(evicted(&scrape, "pending") > 20.0);
    assert_eq!(evicted(&scrape, "idle"), 0.0);
    assert_eq!(scrape.value("certimix_connections_total{outcome=\"accepted\"}"), 41.0);
    tokio::task::spawn_blocking(move || drop(attack)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_of_a_peer_reloads() {
    let server = EditableServer::start(setup().text("server.handshake_timeout", "1h"));
    let address = server.address;
    let open = |count| tokio::task::spawn_blocking(move || SilentConnections::open(address, count, ATTACKERS, 1, &[]));
    let before = open(10).await.unwrap();
    server.set("server.max_connections_per_peer", 2);
    Scrape::poll_until(server.metrics, |scrape| {
        scrape.value("certimix_config_reloads_total{result=\"applied\"}") == 1.0
    });
    // The new connection takes the place of one of its peer; the others stay.
    let after = open(1).await.unwrap();
    Scrape::poll_until(server.metrics, |scrape| evicted(scrape, "pending") == 1.0);
    assert_new_callers_are_served(address, 5).await;
    let still_open = tokio::task::spawn_blocking(move || before.count_open() + after.count_open());
    assert_eq!(still_open.await.unwrap(), 10);
}

/// The handshake timeout is long, and the table is nearly full: silence is cut off early.
#[test]
fn silent_connections_are_closed_early_once_slots_run_out() {
    let setup = setup().text("server.handshake_timeout", "60s");
    let server = EditableServer::start(setup);
    let few = SilentConnections::open(server.address, SLOTS / 4, ATTACKERS, 1, &[]);
    let many = SilentConnections::open(server.address, SLOTS - SLOTS / 4, ATTACKERS + 1, 20, &[]);
    // The table of 32 shrinks to 27 within two seconds, and to half within a minute.
    let scrape = Scrape::poll_until(server.metrics, |scrape| {
        scrape.value("certimix_connection_failures_total{reason=\"cut\"}") >= 5.0
    });
    assert_eq!(evicted(&scrape, "pending"), 0.0);
    drop((few, many));
}

/// The process has no file descriptor for the next connection, and still accepts it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_give_their_files_to_new_callers() {
    let server = EditableServer::start(setup());
    let address = server.address;
    // The server started with enough files, and has just some left.
    server.process.limit_files(20);
    let attack = tokio::task::spawn_blocking(move || SilentConnections::open(address, 30, ATTACKERS, 20, &[]));
    let attack = attack.await.unwrap();
    assert_new_callers_are_served(address, 5).await;
    let line = server.process.line_with("connection could not be accepted");
    assert!(line.contains("Too many open files"), "{line}");
    drop(RawConnection::connect(address));
    tokio::task::spawn_blocking(move || drop(attack)).await.unwrap();
}

/// Headers that begin and do not end are cut off, on a connection that has served requests too.
#[test]
fn unfinished_headers_end_the_connection() {
    let setup = setup()
        .text("server.handshake_timeout", "300ms")
        .text("server.keepalive_interval", "1h");
    let server = EditableServer::start(setup);
    let begin = request_headers(3, "/grpc.health.v1.Health/Check", &[]);
    // HEADERS without END_HEADERS promises a CONTINUATION.
    let mut promised = begin.clone();
    promised[4] = flag::NONE;
    for rest in [begin[..5].to_vec(), begin[..20].to_vec(), promised] {
        let mut connection = RawHttp2::connect(server.address);
        assert!(connection.send(&finished_request()[HTTP2_PREFACE.len()..]));
        connection.read_until(|frame| frame.kind == kind::DATA).unwrap();
        assert!(connection.send(&rest));
        assert_eq!(connection.read_until(|_| false), None);
    }
}
