//! Health tells the truth: not serving until both models are warm, not serving while draining.

use std::process::Command;

use certimix::rpc::proto::GetModelInfoRequest;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::server::TEST_TIMEOUT;
use crate::support::setup::manifest;
use crate::support::{Setup, TestServer, messages};

const SERVICES: [&str; 3] = ["", "certimix.v1.MixedClassifier", "inference.GRPCInferenceService"];

async fn assert_health(server: &TestServer, expected: ServingStatus) {
    let mut health = HealthClient::new(server.channel().await);
    for service in SERVICES {
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        let status = health.check(request).await.unwrap().into_inner().status();
        assert_eq!(status, expected, "of \"{service}\"");
    }
    // It lives, whatever it serves.
    let liveness = HealthCheckRequest {
        service: "liveness".to_owned(),
    };
    let status = health.check(liveness).await.unwrap().into_inner().status();
    assert_eq!(status, ServingStatus::Serving);
    let unknown = HealthCheckRequest {
        service: "certimix.v9.Unknown".to_owned(),
    };
    assert_eq!(health.check(unknown).await.unwrap_err().code(), Code::NotFound);
}

/// A manifest that can be read once somebody writes it: the server loads until then.
pub fn manifest_to_come(setup: Setup) -> (Setup, std::path::PathBuf) {
    let path = setup.folder().join("to_come.toml");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    (setup.path("models.robust", &path), path)
}

/// Writes it: the server goes on loading.
pub async fn write_manifest(path: std::path::PathBuf) {
    let write = move || std::fs::write(path, manifest("linear_h", &[]));
    tokio::task::spawn_blocking(write).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nothing_is_served_until_both_models_are_warm() {
    let (setup, pipe) = manifest_to_come(Setup::pair("linear_g", "linear_h"));
    let mut server = TestServer::listen(setup);
    assert_health(&server, ServingStatus::NotServing).await;
    let mut client = server.client().await;
    let early = client
        .predict(messages::predict_request(messages::floats(&[[0.0; 4]])))
        .await
        .unwrap_err();
    assert_eq!(early.code(), Code::Unavailable, "{early:?}");
    let early = client.get_model_info(GetModelInfoRequest {}).await.unwrap_err();
    assert_eq!(early.code(), Code::Unavailable, "{early:?}");

    write_manifest(pipe).await;
    assert!(server.ready().await);
    assert_health(&server, ServingStatus::Serving).await;
    client
        .predict(messages::predict_request(messages::floats(&[[0.0; 4]])))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_draining_server_says_so_and_finishes_what_it_has() {
    let setup = Setup::pair("linear_g", "slow_smoothed")
        .batch_size(1)
        .with("certificate.selection_votes", 1)
        .text("server.drain_timeout", "50s");
    let mut server = TestServer::start(setup).await;
    let request = HealthCheckRequest {
        service: SERVICES[1].to_owned(),
    };
    let mut watch = HealthClient::new(server.channel().await)
        .watch(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::Serving);

    // The first message of the stream tells that it is in flight.
    let order = messages::certify_with_votes(messages::floats(&[messages::CLEAR_INPUT]), 60);
    let order = certimix::rpc::proto::CertifyRequest {
        failure_probability: Some(0.5),
        ..order
    };
    let mut stream = server.client().await.certify_stream(order).await.unwrap().into_inner();
    assert!(!stream.message().await.unwrap().unwrap().r#final);

    server.begin_stop();
    let status = tokio::time::timeout(TEST_TIMEOUT, watch.message())
        .await
        .unwrap()
        .unwrap()
        .unwrap()
        .status();
    assert_eq!(status, ServingStatus::NotServing);
    drop(watch);
    let mut last = None;
    while let Some(message) = stream.message().await.unwrap() {
        last = Some(message);
    }
    assert!(last.unwrap().r#final);
    drop(stream);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_may_be_stopped_while_it_loads() {
    let (setup, pipe) = manifest_to_come(Setup::pair("linear_g", "linear_h"));
    let mut server = TestServer::listen(setup);
    assert_health(&server, ServingStatus::NotServing).await;
    server.begin_stop();
    assert!(!server.ready().await);
    // Lets the loading thread go, which waits for the manifest.
    tokio::task::spawn_blocking(move || std::fs::write(pipe, ""))
        .await
        .unwrap()
        .unwrap();
    server.stop().await.unwrap();
}
