//! A draining server waits for requests in flight, and for nothing else.

use std::net::SocketAddr;

use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::Setup;
use crate::support::messages::CLEAR_INPUT;
use crate::support::predict_stream::PredictStreamClient;
use crate::support::process::ServerProcess;
use crate::support::raw_connection::{HTTP2_PREFACE, PARTIAL_HEADERS_FRAME, RawConnection};
use crate::support::request_burst::RequestBurst;
use crate::support::server::{Client, TEST_TIMEOUT};

const REQUESTS: usize = 200;

async fn channel(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    endpoint.timeout(TEST_TIMEOUT).connect().await.unwrap()
}

/// The drain timeout is an hour. The server ends early because it waits for nothing but requests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_in_flight_are_answered_and_idle_connections_do_not_delay_the_exit() {
    let setup = Setup::pair("slow_g", "slow_h")
        .batch_size(1)
        .with("server.max_inputs", REQUESTS)
        .with("scheduler.queue_rows", 2 * REQUESTS)
        .text("server.unix_socket", "certimix.sock")
        .text("metrics.listen", "127.0.0.1:0")
        .text("server.drain_timeout", "1h");
    let mut server = ServerProcess::spawn(&setup.write());
    let (address, metrics) = server.addresses();
    let metrics = metrics.unwrap();
    // These connections are silent, stuck in each stage of the protocol, or idle.
    let partial_frame = [HTTP2_PREFACE, PARTIAL_HEADERS_FRAME].concat();
    let stuck = [&[][..], &HTTP2_PREFACE[..5], HTTP2_PREFACE, &partial_frame]
        .map(|bytes| RawConnection::connect_and_send(address, bytes));
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

    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(Client::new(channel(address).await));
    }
    let RequestBurst { calls, in_flight } = RequestBurst::send(clients, REQUESTS, CLEAR_INPUT, metrics).await;
    assert!(
        in_flight > REQUESTS / 2,
        "only {in_flight} requests were in flight, so this tests little"
    );
    server.signal("TERM");
    for response in calls {
        assert_eq!(response.await.unwrap().unwrap().into_inner().predictions.len(), 1);
    }
    // The watcher receives the change, and then the end of its stream.
    assert_eq!(
        watch.message().await.unwrap().unwrap().status(),
        ServingStatus::NotServing
    );
    assert_eq!(watch.message().await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(stream.end_status().await.code(), Code::Unavailable);
    assert_eq!(server.wait().code(), Some(0));
    drop((stuck, idle, idle_socket));
}
