//! A signal stops the server: it answers the requests in flight, exits with code 0 and never
//! exceeds the drain timeout.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use tonic::transport::Endpoint;

use crate::support::messages::{CLEAR_INPUT, certify_with_votes, floats};
use crate::support::process::ServerProcess;
use crate::support::request_burst::RequestBurst;
use crate::support::server::{Client, TEST_TIMEOUT};
use crate::support::slow_load::slow_load;
use crate::support::{Setup, messages};

async fn connect(server: &ServerProcess) -> Client {
    let address = server.address();
    Client::new(endpoint(address).connect().await.unwrap())
}

fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint::from_shared(format!("http://{address}"))
        .unwrap()
        .timeout(TEST_TIMEOUT)
}

const REQUESTS: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_in_flight_are_answered_before_the_exit() {
    // The batch size is one row, which takes about 20 ms, so the last of 50 requests waits a
    // second.
    let setup = Setup::pair("slow_g", "slow_h")
        .batch_size(1)
        .with("server.max_inputs", REQUESTS)
        .with("scheduler.queue_rows", REQUESTS)
        .text("metrics.listen", "127.0.0.1:0")
        .text("server.drain_timeout", "50s");
    let mut server = ServerProcess::spawn(&setup.write());
    let (address, metrics) = server.addresses();
    let metrics = metrics.unwrap();
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(Client::new(endpoint(address).connect().await.unwrap()));
    }
    let RequestBurst { calls, in_flight } = RequestBurst::send(clients, REQUESTS, [0.5; 4], metrics).await;
    server.signal("TERM");
    for response in calls {
        assert_eq!(response.await.unwrap().unwrap().into_inner().predictions.len(), 1);
    }
    assert!(in_flight > 0, "no request was in flight, so this tests nothing");
    assert_eq!(server.wait().code(), Some(0));
    assert!(TcpStream::connect(address).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn idle_connections_do_not_delay_the_exit() {
    let setup = Setup::pair("linear_g", "linear_h").text("server.drain_timeout", "2s");
    let mut server = ServerProcess::spawn(&setup.write());
    let address = server.address();
    let mut idle = Client::new(endpoint(address).connect().await.unwrap());
    idle.predict(messages::predict_request(floats(&[[0.5; 4]])))
        .await
        .unwrap();
    // One connection never sends a byte, and one watches the health service.
    let silent = TcpStream::connect(address).unwrap();
    let request = tonic_health::pb::HealthCheckRequest { service: String::new() };
    let channel = endpoint(address).connect().await.unwrap();
    let mut watch = tonic_health::pb::health_client::HealthClient::new(channel)
        .watch(request)
        .await
        .unwrap()
        .into_inner();
    watch.message().await.unwrap();
    let start = Instant::now();
    server.signal("INT");
    assert_eq!(server.wait().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(2 + 20));
    drop((idle, silent, watch));
}

/// The drain timeout aborts a longer request. The exit code is still 0.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_drain_timeout_ends_long_requests() {
    let setup = Setup::pair("linear_g", "slow_smoothed")
        .batch_size(1)
        .with("certificate.selection_votes", 1)
        .with("certificate.max_votes", 1_000_000)
        .with("certificate.failure_probability", 0.4)
        .text("server.max_request_time", "1h")
        .text("server.drain_timeout", "500ms");
    let mut server = ServerProcess::spawn(&setup.write());
    let mut stream = connect(&server)
        .await
        .certify_stream(certify_with_votes(floats(&[CLEAR_INPUT]), 1_000_000))
        .await
        .unwrap()
        .into_inner();
    stream.message().await.unwrap().unwrap();
    let start = Instant::now();
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    assert!(start.elapsed() < Duration::from_millis(500) + Duration::from_secs(20));
    let end = async { while let Ok(Some(_)) = stream.message().await {} };
    tokio::time::timeout(TEST_TIMEOUT, end)
        .await
        .expect("the stream never ends");
}

/// A server that still loads its models has no requests to finish.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_that_loads_its_models_stops() {
    let setup = slow_load().text("server.drain_timeout", "1s");
    let mut server = ServerProcess::spawn(&setup.write());
    std::thread::sleep(Duration::from_millis(300));
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}
