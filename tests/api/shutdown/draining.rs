//! A server that is told to stop waits for requests, and for nothing else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::messages::{CLEAR_INPUT, floats};
use crate::support::predict_stream::PredictStreamClient;
use crate::support::process::ServerProcess;
use crate::support::raw_connection::{HTTP2_PREFACE, PARTIAL_HEADERS_FRAME, RawConnection};
use crate::support::scrape::Scrape;
use crate::support::server::{Client, TEST_TIMEOUT};
use crate::support::{Setup, messages};

const REQUESTS: usize = 200;

async fn channel(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    endpoint.timeout(TEST_TIMEOUT).connect().await.unwrap()
}

/// How many rows the server has taken on.
fn admitted(metrics: SocketAddr) -> usize {
    let found = Scrape::fetch(metrics).value(r#"certimix_admitted_rows{model="robust"}"#);
    // A small whole number.
    found as usize
}

/// An hour to drain: only because nobody but requests is waited for does it end now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_requests_are_answered_and_the_idle_do_not_hold_it() {
    let setup = Setup::pair("slow_g", "slow_h")
        .batch_size(1)
        .with("server.max_inputs", REQUESTS)
        .with("scheduler.queue_rows", REQUESTS)
        .text("server.unix_socket", "certimix.sock")
        .text("metrics.listen", "127.0.0.1:0")
        .text("server.drain_timeout", "1h");
    let mut server = ServerProcess::spawn(&setup.write());
    let (address, metrics) = server.addresses();
    let metrics = metrics.unwrap();
    // Silent, half-way through each stage, and idle.
    let half_a_frame = [HTTP2_PREFACE, PARTIAL_HEADERS_FRAME].concat();
    let held = [&[][..], &HTTP2_PREFACE[..5], HTTP2_PREFACE, &half_a_frame]
        .map(|said| RawConnection::connect_and_send(address, said));
    let idle = channel(address).await;
    Client::new(idle.clone())
        .get_model_info(certimix::rpc::proto::GetModelInfoRequest {})
        .await
        .unwrap();
    let socket = format!("unix:{}", setup.folder().join("certimix.sock").display());
    let idle_socket = Endpoint::from_shared(socket).unwrap().connect().await.unwrap();
    let health = HealthCheckRequest::default();
    let mut watch = HealthClient::new(channel(address).await)
        .watch(health)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    let mut stream = PredictStreamClient::open(Client::new(channel(address).await)).await;

    let answered = Arc::new(AtomicUsize::new(0));
    let mut asked = Vec::new();
    for _ in 0..10 {
        let client = Client::new(channel(address).await);
        for _ in 0..REQUESTS / 10 {
            let (mut client, answered) = (client.clone(), Arc::clone(&answered));
            asked.push(tokio::spawn(async move {
                let answer = client.predict(messages::predict_request(floats(&[CLEAR_INPUT]))).await;
                answered.fetch_add(1, Ordering::Relaxed);
                answer
            }));
        }
    }
    let all_in = async {
        loop {
            let before = answered.load(Ordering::Relaxed);
            if before + admitted(metrics) >= REQUESTS {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(TEST_TIMEOUT, all_in)
        .await
        .expect("not all requests arrive");
    let in_flight = REQUESTS - answered.load(Ordering::Relaxed);
    assert!(
        in_flight > REQUESTS / 2,
        "only {in_flight} were in flight: the test shows little"
    );
    server.signal("TERM");
    for answer in asked {
        assert_eq!(answer.await.unwrap().unwrap().into_inner().predictions.len(), 1);
    }
    // Whoever watches is told, and then let go.
    assert_eq!(
        watch.message().await.unwrap().unwrap().status(),
        ServingStatus::NotServing
    );
    assert_eq!(watch.message().await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(stream.end_status().await.code(), Code::Unavailable);
    assert_eq!(server.wait().code(), Some(0));
    drop((held, idle, idle_socket));
}
