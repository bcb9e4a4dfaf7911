//! Health is NOT_SERVING until both models are warm, and while the server drains.

use certimix::rpc::proto::GetModelInfoRequest;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::server::TEST_TIMEOUT;
use crate::support::slow_load::slow_load;
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
    // The liveness service is SERVING in every state.
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

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn health_is_not_serving_until_both_models_are_warm() {
    let mut server = TestServer::listen(slow_load());
    assert_health(&server, ServingStatus::NotServing).await;
    let mut client = server.client().await;
    let refused = client
        .predict(messages::predict_request(messages::floats(&[[0.0; 4]])))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
    let refused = client.get_model_info(GetModelInfoRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");

    assert!(server.ready().await);
    assert_health(&server, ServingStatus::Serving).await;
    client
        .predict(messages::predict_request(messages::floats(&[[0.0; 4]])))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_draining_server_is_not_serving_and_finishes_its_requests() {
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

    // The first message of the stream shows that the request is in flight.
    let request = messages::certify_with_votes(messages::floats(&[messages::CLEAR_INPUT]), 60);
    let request = certimix::rpc::proto::CertifyRequest {
        failure_probability: Some(0.5),
        ..request
    };
    let mut stream = server
        .client()
        .await
        .certify_stream(request)
        .await
        .unwrap()
        .into_inner();
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
async fn a_server_can_be_stopped_while_it_loads() {
    let mut server = TestServer::listen(slow_load());
    assert_health(&server, ServingStatus::NotServing).await;
    server.begin_stop();
    assert!(!server.ready().await);
    server.stop().await.unwrap();
}
