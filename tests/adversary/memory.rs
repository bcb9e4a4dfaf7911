//! What a caller sends and does not finish costs no more memory than a stated amount.
//!
//! `CERTIMIX_ATTACK_SIZE=full` runs the attacks at the size of a real one, by hand.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use certimix::app::memory_bound;
use certimix::rpc::open_inference::proto::ModelInferRequest;
use certimix::rpc::open_inference::proto::grpc_inference_service_client::GrpcInferenceServiceClient;
use certimix::rpc::open_inference::proto::model_infer_request::InferInputTensor;
use flate2::Compression;
use flate2::write::GzEncoder;
use tonic::transport::Endpoint;
use tonic::{Code, Request};

use crate::honest_caller::HonestCaller;
use crate::raw_http2::{Frame, RawHttp2, flag, frame, grpc_message, kind, request_headers};
use crate::refusals::{connect_without_header_table, is_end, is_refusal};
use crate::resident_memory;
use crate::support::Setup;
use crate::support::gzip::{flagged_message, gzip};
use crate::support::messages::{CLEAR_INPUT, floats, predict_request};
use crate::support::process::ServerProcess;
use crate::support::scrape::Scrape;
use crate::support::server::{Client, TEST_TIMEOUT};

/// The largest message that the server accepts by default.
const MAX_MESSAGE: usize = 4 << 20;
const PREDICT: &str = "/certimix.v1.MixedClassifier/Predict";

/// How much the resident set may grow over an attack.
const SLACK_BYTES: usize = 64 << 20;

fn is_full_size() -> bool {
    std::env::var("CERTIMIX_ATTACK_SIZE").is_ok_and(|size| size == "full")
}

/// Opens a connection with `count` requests for `path`, each with the same `body`, and waits until
/// the server has read them.
fn connection_with_bodies(address: SocketAddr, path: &str, count: u32, body: &[u8]) -> RawHttp2 {
    let mut connection = RawHttp2::connect(address);
    let mut bytes = Vec::new();
    for number in 0..count {
        let stream = 2 * number + 1;
        bytes.extend(request_headers(stream, path, &[]));
        // Empty DATA frames are a flood of their own.
        if !body.is_empty() {
            bytes.extend(frame(kind::DATA, flag::NONE, stream, body));
        }
    }
    bytes.extend(frame(kind::PING, flag::NONE, 0, &[7; 8]));
    if connection.send(&bytes) {
        connection.read_until(|frame| frame.kind == kind::PING && frame.flags == flag::ACK);
    }
    connection
}

/// Waits until the resident set is at most `limit` bytes. Returns the smallest one that was seen.
fn settled_memory(server: &ServerProcess, limit: usize) -> usize {
    let start = Instant::now();
    let mut least = resident_memory::now(server);
    while least > limit && start.elapsed() < TEST_TIMEOUT {
        std::thread::sleep(Duration::from_millis(100));
        least = least.min(resident_memory::now(server));
    }
    least
}

/// The prefix of a message declares a length and reserves nothing. What was taken is given back.
#[test]
fn declared_lengths_reserve_no_memory() {
    let (waves, connections, prefixes) = match is_full_size() {
        true => (40, 60, 1000),
        false => (4, 10, 200),
    };
    let setup = Setup::pair("linear_g", "linear_h");
    let server = ServerProcess::spawn(&setup.write());
    let address = server.address();
    let before = resident_memory::now(&server);
    let body = grpc_message(MAX_MESSAGE, &[]);
    for _ in 0..waves {
        let open: Vec<_> = (0..connections)
            .map(|_| connection_with_bodies(address, PREDICT, prefixes, &body))
            .collect();
        drop(open);
    }
    let after = settled_memory(&server, before + SLACK_BYTES);
    let peak = resident_memory::peak(&server);
    eprintln!("resident before {before}, peak {peak}, after {after}");
    assert!(after <= before + SLACK_BYTES, "{before} bytes before, {after} after");
}

/// The smallest memory of requests that the default message size allows.
const SMALL_MEMORY: usize = 64 << 20;
/// What a server takes beside the memory of requests while an attack goes on: connections, the
/// allocator's free memory, and what is being copied.
const BESIDE_BYTES: usize = 48 << 20;
const HEALTH_CHECK: &str = "/grpc.health.v1.Health/Check";
const WATCH: &str = "/grpc.health.v1.Health/Watch";
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const PREDICT_STREAM: &str = "/certimix.v1.MixedClassifier/PredictStream";
fn small_setup() -> Setup {
    Setup::pair("linear_g", "linear_h")
        .with("server.request_memory_bytes", SMALL_MEMORY)
        .text("metrics.listen", "127.0.0.1:0")
}

/// A server under attack, with an honest caller beside the attack.
struct AttackedServer {
    process: ServerProcess,
    address: SocketAddr,
    metrics: SocketAddr,
    /// The resident set before the attack, in bytes.
    before: usize,
    honest: HonestCaller,
    _setup: Setup,
}

impl AttackedServer {
    async fn start(setup: Setup) -> Self {
        let process = ServerProcess::spawn(&setup.write());
        let (address, metrics) = process.addresses();
        Self {
            before: resident_memory::now(&process),
            honest: HonestCaller::start(address).await,
            process,
            address,
            metrics: metrics.unwrap(),
            _setup: setup,
        }
    }

    /// Runs `attack` on several connections, one after the other. They stay open.
    async fn attack(&self, connections: usize, attack: fn(SocketAddr) -> RawHttp2) -> Vec<RawHttp2> {
        let address = self.address;
        let attack = move || (0..connections).map(|_| attack(address)).collect();
        tokio::task::spawn_blocking(attack).await.unwrap()
    }

    /// The honest caller loses nothing, and the resident set grows by at most `bytes`.
    async fn assert_unharmed_within(self, bytes: usize) {
        self.honest.assert_unharmed().await;
        let (before, peak) = (self.before, resident_memory::peak(&self.process));
        eprintln!("resident before {before}, peak {peak}, at most {bytes} more");
        assert!(
            peak <= before + bytes,
            "{before} bytes before, {peak} at the peak, at most {bytes} more"
        );
    }
}

/// One honest caller is answered while half-sent requests fill the memory. The largest sender loses
/// its stalest requests, and the server stays within the memory of requests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_sent_messages_stay_within_the_memory_of_requests() {
    let server = AttackedServer::start(small_setup()).await;
    let connections = if is_full_size() { 10 } else { 3 };
    let send_halves = |address| send_parts(address, if is_full_size() { 1000 } else { 60 }, 512 << 10);
    let open = server.attack(connections, send_halves).await;
    let metrics = server.metrics;
    let scrape = Scrape::fetch(metrics);
    assert_half_sent_is_refused(&scrape);
    assert_eq!(scrape.value("certimix_request_memory_limit_bytes"), SMALL_MEMORY as f64);
    drop(open);
    // What the attack held is given back.
    Scrape::poll_until(metrics, |scrape| scrape.sum("certimix_request_memory_bytes", "") == 0.0);
    server.assert_unharmed_within(SMALL_MEMORY + BESIDE_BYTES).await;
}

/// Half-sent requests take at most half of the memory of requests, and some were refused.
fn assert_half_sent_is_refused(scrape: &Scrape) {
    let half_sent = scrape.value("certimix_request_memory_bytes{state=\"half_sent\"}");
    assert!(half_sent > 0.0 && half_sent <= (SMALL_MEMORY / 2) as f64, "{half_sent}");
    assert!(scrape.value("certimix_request_memory_refusals_total{reason=\"half_sent\"}") > 0.0);
}

/// A connection that begins requests of 4 MiB one after the other and sends `bytes` of each, until the
/// server closes it.
fn send_parts(address: SocketAddr, streams: u32, bytes: usize) -> RawHttp2 {
    let mut connection = RawHttp2::connect(address);
    let part = vec![7; bytes];
    (0..streams).all(|number| send_part(&mut connection, 2 * number + 1, &part));
    connection
}

/// Begins a request of 4 MiB on `stream` and sends `part` of it, in frames of 16 KiB, as the windows
/// of the server allow. Returns false if the server has closed the connection.
fn send_part(connection: &mut RawHttp2, stream: u32, part: &[u8]) -> bool {
    let mut bytes = request_headers(stream, PREDICT, &[]);
    bytes.extend(frame(kind::DATA, flag::NONE, stream, &grpc_message(MAX_MESSAGE, &[])));
    if !connection.send(&bytes) {
        return false;
    }
    for pieces in part.chunks(32 << 10) {
        // The server answers the ping after it has read the frames before it. Half a window is free
        // then, unless the request has ended. A ping for every frame would end the connection.
        let mut bytes = Vec::new();
        for piece in pieces.chunks(16 << 10) {
            bytes.extend(frame(kind::DATA, flag::NONE, stream, piece));
        }
        bytes.extend(frame(kind::PING, flag::NONE, 0, &[7; 8]));
        if !connection.send(&bytes) {
            return false;
        }
        let is_next = |frame: &Frame| {
            frame.kind == kind::PING || frame.stream == stream && (frame.kind == kind::RST_STREAM || is_end(frame))
        };
        match connection.read_until(is_next) {
            None => return false,
            Some(frame) if frame.kind == kind::PING => {}
            Some(_) => return true,
        }
    }
    true
}

/// Requests of headers alone are half sent: they stay within the memory too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_requests_stay_within_the_memory_of_requests() {
    let server = AttackedServer::start(small_setup()).await;
    let connections = if is_full_size() { 100 } else { 4 };
    let silent = |address| connection_with_bodies(address, PREDICT, 1000, &[]);
    let _open = server.attack(connections, silent).await;
    assert_half_sent_is_refused(&Scrape::fetch(server.metrics));
    server.assert_unharmed_within(SMALL_MEMORY + BESIDE_BYTES).await;
}

/// Two bytes add an element of two hundred to a list. Such a message is refused before it is
/// decoded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_grows_when_it_is_decoded_is_refused() {
    let setup = small_setup();
    let server = ServerProcess::spawn(&setup.write());
    let address = server.address();
    let before = resident_memory::now(&server);
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let mut client = GrpcInferenceServiceClient::new(channel.connect().await.unwrap());
    let request = ModelInferRequest {
        inputs: vec![InferInputTensor::default(); MAX_MESSAGE / 2 - 100],
        ..Default::default()
    };
    let refused = client.model_infer(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    assert!(refused.message().contains("server.request_memory_bytes"), "{refused:?}");
    let peak = resident_memory::peak(&server);
    assert!(
        peak <= before + BESIDE_BYTES,
        "{before} bytes before, {peak} at the peak"
    );
}

/// A request of gzip whose `packed` bytes are all there.
fn gzip_request(stream: u32, packed: &[u8]) -> Vec<u8> {
    let mut bytes = request_headers(stream, PREDICT, &[("grpc-encoding", "gzip")]);
    let message = flagged_message(packed);
    let mut pieces = message.chunks(16 << 10).peekable();
    while let Some(piece) = pieces.next() {
        let flags = if pieces.peek().is_none() {
            flag::END_STREAM
        } else {
            flag::NONE
        };
        bytes.extend(frame(kind::DATA, flags, stream, piece));
    }
    bytes
}

/// Sends `count` requests of `packed` at a time, and waits until each has ended.
fn gzip_bombs(address: SocketAddr, count: u32, packed: &[u8]) -> RawHttp2 {
    let mut connection = connect_without_header_table(address);
    for number in 0..count {
        assert!(connection.send(&gzip_request(2 * number + 1, packed)));
    }
    for _ in 0..count {
        connection.read_until(is_end).unwrap();
    }
    connection
}

/// Messages that unpack to the largest size take no more memory than others, and nobody else waits for
/// them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compressed_messages_stay_within_the_memory_of_requests() {
    let server = AttackedServer::start(small_setup()).await;
    let connections = if is_full_size() { 40 } else { 4 };
    let bombs = |address| {
        gzip_bombs(
            address,
            if is_full_size() { 200 } else { 40 },
            &gzip(&vec![0; MAX_MESSAGE]),
        )
    };
    let _open = server.attack(connections, bombs).await;
    server.honest.wait_for_answers(3).await;
    server.assert_unharmed_within(SMALL_MEMORY + BESIDE_BYTES).await;
}

/// A message over the limit is refused whatever length it declares, and is not unpacked beyond it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_unpacks_to_more_than_its_limit_is_refused() {
    // Its compressed bytes fit the first window of a stream, which is 64 KiB.
    const UNPACKED: usize = 48 << 20;
    let server = AttackedServer::start(small_setup()).await;
    let mut bomb = Vec::new();
    let mut encoder = GzEncoder::new(&mut bomb, Compression::best());
    for _ in 0..UNPACKED / MAX_MESSAGE {
        encoder.write_all(&vec![0; MAX_MESSAGE]).unwrap();
    }
    encoder.finish().unwrap();
    let (address, honest) = (server.address, &server.honest);
    let send = |packed: Vec<u8>| {
        tokio::task::spawn_blocking(move || {
            let mut connection = connect_without_header_table(address);
            connection.send(&gzip_request(1, &packed));
            connection
                .read_until(|frame| frame.stream == 1 && is_end(frame))
                .unwrap()
        })
    };
    let end = send(bomb.clone()).await.unwrap();
    assert!(is_refusal(&end), "{end:?}");
    // A false length: the message is not what it declares, and is unpacked no further.
    let length = bomb.len() - 4;
    bomb[length..].copy_from_slice(&u32::try_from(MAX_MESSAGE).unwrap().to_le_bytes());
    let end = send(bomb).await.unwrap();
    assert!(!is_refusal(&end), "{end:?}");
    honest.wait_for_answers(3).await;
    server.assert_unharmed_within(UNPACKED / 2).await;
}

/// A method that needs no tensor takes no large message, of callers without a token either.
#[test]
fn a_method_without_tensors_takes_only_small_messages() {
    let setup = small_setup();
    let server = ServerProcess::spawn(&setup.write());
    let address = server.address();
    for (path, most) in [
        (HEALTH_CHECK, 1024),
        (WATCH, 1024),
        (REFLECTION, 4096),
        ("/certimix.v1.MixedClassifier/GetModelInfo", 4096),
        ("/certimix.v1.MixedClassifier/GetShadowReport", 4096),
        ("/inference.GRPCInferenceService/ServerLive", 4096),
        ("/inference.GRPCInferenceService/ModelMetadata", 4096),
    ] {
        let mut connection = connect_without_header_table(address);
        // The prefix alone is refused. The server does not wait for the message.
        for length in [most + 1, u32::MAX as usize] {
            let stream = if length == most + 1 { 1 } else { 3 };
            connection.send(&request_headers(stream, path, &[]));
            connection.send(&frame(kind::DATA, flag::NONE, stream, &grpc_message(length, &[])));
            let end = connection
                .read_until(|frame| frame.stream == stream && is_end(frame))
                .unwrap();
            if path != REFLECTION {
                assert!(is_refusal(&end), "{path} {length}: {end:?}");
            }
        }
        // A message within the limit is no such error.
        connection.send(&request_headers(5, path, &[]));
        connection.send(&frame(kind::DATA, flag::END_STREAM, 5, &grpc_message(0, &[])));
        let answer = connection.read_until(|frame| frame.stream == 5).unwrap();
        assert!(!is_refusal(&answer), "{path}: {answer:?}");
    }
}

/// Where callers need a token, those who show none have an eighth of the memory for themselves, and
/// take nothing from the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_without_a_token_have_a_small_part_of_the_memory() {
    const TOKEN: &str = "a-token-for-one-caller";
    let setup = small_setup().text("server.bearer_token_file", "tokens");
    setup.file("tokens", TOKEN.as_bytes());
    let server = ServerProcess::spawn(&setup.write());
    let (address, metrics) = server.addresses();
    let silent = move || connection_with_bodies(address, HEALTH_CHECK, 1000, &[]);
    let attack = move || (0..4).map(|_| silent()).collect::<Vec<_>>();
    let _open = tokio::task::spawn_blocking(attack).await.unwrap();
    let scrape = Scrape::fetch(metrics.unwrap());
    let half_sent = scrape.value("certimix_request_memory_bytes{state=\"half_sent\"}");
    assert!(
        half_sent > 0.0 && half_sent <= (SMALL_MEMORY / 2 / 8) as f64,
        "{half_sent}"
    );
    assert!(scrape.value("certimix_request_memory_refusals_total{reason=\"half_sent\"}") > 0.0);
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let mut client = Client::new(channel.connect().await.unwrap());
    let mut request = Request::new(predict_request(floats(&vec![CLEAR_INPUT; 64])));
    let authorization = format!("Bearer {TOKEN}").parse().unwrap();
    request.metadata_mut().insert("authorization", authorization);
    client.predict(request).await.unwrap();
}

/// A stream whose answers nobody reads stops to be read: its requests wait at the caller.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_not_read_stays_within_the_memory_of_requests() {
    let server = AttackedServer::start(small_setup()).await;
    let connections = if is_full_size() { 50 } else { 4 };
    let _open = server.attack(connections, |address| unread_streams(address, 100)).await;
    let held = Scrape::fetch(server.metrics).value("certimix_request_memory_bytes{state=\"complete\"}");
    assert!(held <= (SMALL_MEMORY / 2) as f64, "{held}");
    server.assert_unharmed_within(SMALL_MEMORY + BESIDE_BYTES).await;
}

/// A connection with `streams` streams of requests without content, which the server refuses one by
/// one. It reads no byte of a response.
fn unread_streams(address: SocketAddr, streams: u32) -> RawHttp2 {
    let mut connection = RawHttp2::connect(address);
    // SETTINGS_INITIAL_WINDOW_SIZE of 0: the server can send no byte of a response.
    connection.send(&frame(kind::SETTINGS, flag::NONE, 0, &[0, 4, 0, 0, 0, 0]));
    for number in 0..streams {
        let stream = 2 * number + 1;
        let mut bytes = request_headers(stream, PREDICT_STREAM, &[]);
        bytes.extend(frame(
            kind::DATA,
            flag::NONE,
            stream,
            &grpc_message(0, &[]).repeat(2000),
        ));
        bytes.extend(frame(kind::PING, flag::NONE, 0, &[7; 8]));
        let is_acknowledged = |frame: &Frame| frame.kind == kind::PING && frame.flags == flag::ACK;
        if !connection.send(&bytes) || connection.read_until(is_acknowledged).is_none() {
            break;
        }
    }
    connection
}

/// A server with small limits under several attacks at once stays below the documented sum.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_worst_case_holds_under_attack() {
    let setup = small_setup()
        .with("server.max_connections", 12)
        .with("server.max_concurrent_streams", 200);
    let bound: usize = memory_bound(&setup.settings().server)
        .iter()
        .map(|part| part.bytes)
        .sum();
    let server = AttackedServer::start(setup).await;
    let attacks: [fn(SocketAddr) -> RawHttp2; 5] = [
        |address| gzip_bombs(address, 40, &gzip(&vec![0; MAX_MESSAGE])),
        |address| connection_with_bodies(address, PREDICT, 200, &grpc_message(MAX_MESSAGE, &[7; 16_000])),
        |address| connection_with_bodies(address, PREDICT, 400, &[]),
        |address| unread_streams(address, 100),
        |address| send_parts(address, 20, 1 << 20),
    ];
    let _open = futures_util::future::join_all(attacks.map(|attack| server.attack(2, attack))).await;
    server.assert_unharmed_within(bound).await;
}
