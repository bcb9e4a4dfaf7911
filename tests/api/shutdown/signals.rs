//! A signal stops the server: requests in flight are answered, the exit code is 0, and nothing holds it beyond the bound.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tonic::transport::Endpoint;

use crate::support::messages::{CLEAR_INPUT, certify_with_votes, floats};
use crate::support::process::ServerProcess;
use crate::support::scrape::Scrape;
use crate::support::server::{Client, TEST_TIMEOUT};
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

/// How many rows the server has taken on.
fn admitted(metrics: SocketAddr) -> usize {
    let found = Scrape::fetch(metrics).value(r#"certimix_admitted_rows{model="robust"}"#);
    // A small whole number.
    found as usize
}

const REQUESTS: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_in_flight_are_answered_before_it_exits() {
    // One row a run and some 20 ms a run: the last of 50 requests waits a second.
    let setup = Setup::pair("slow_g", "slow_h")
        .batch_size(1)
        .with("server.max_inputs", REQUESTS)
        .with("scheduler.queue_rows", REQUESTS)
        .text("metrics.listen", "127.0.0.1:0")
        .text("server.drain_timeout", "50s");
    let mut server = ServerProcess::spawn(&setup.write());
    let (address, metrics) = server.addresses();
    let metrics = metrics.unwrap();
    let answered = Arc::new(AtomicUsize::new(0));
    let mut asked = Vec::new();
    for _ in 0..5 {
        let client = Client::new(endpoint(address).connect().await.unwrap());
        for _ in 0..REQUESTS / 5 {
            let (mut client, answered) = (client.clone(), Arc::clone(&answered));
            asked.push(tokio::spawn(async move {
                let answer = client.predict(messages::predict_request(floats(&[[0.5; 4]]))).await;
                answered.fetch_add(1, Ordering::Relaxed);
                answer
            }));
        }
    }
    let all_in = async {
        loop {
            let answered_before = answered.load(Ordering::Relaxed);
            if answered_before + admitted(metrics) >= REQUESTS {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(TEST_TIMEOUT, all_in)
        .await
        .expect("not all requests arrive");
    let in_flight = REQUESTS - answered.load(Ordering::Relaxed);
    server.signal("TERM");
    for answer in asked {
        assert_eq!(answer.await.unwrap().unwrap().into_inner().predictions.len(), 1);
    }
    assert!(in_flight > 0, "nothing was in flight any more: the test shows nothing");
    assert_eq!(server.wait().code(), Some(0));
    assert!(TcpStream::connect(address).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn idle_connections_do_not_hold_it() {
    let setup = Setup::pair("linear_g", "linear_h").text("server.drain_timeout", "2s");
    let mut server = ServerProcess::spawn(&setup.write());
    let address = server.address();
    let mut idle = Client::new(endpoint(address).connect().await.unwrap());
    idle.predict(messages::predict_request(floats(&[[0.5; 4]])))
        .await
        .unwrap();
    // One that never said a word, and one that watches health.
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

/// What takes longer than the bound is cut off, and that is no failure of the server's.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_bound_holds_for_long_requests() {
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

/// A server that still loads has nothing to finish.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_that_loads_stops_too() {
    let setup = Setup::pair("linear_g", "linear_h");
    let pipe = setup.folder().join("to_come.toml");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let setup = setup.path("models.robust", &pipe).text("server.drain_timeout", "1s");
    let mut server = ServerProcess::spawn(&setup.write());
    // It has loaded the standard model, or is about to, and then waits for the other's manifest.
    std::thread::sleep(Duration::from_millis(300));
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}
