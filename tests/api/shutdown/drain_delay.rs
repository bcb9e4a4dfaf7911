//! During `server.drain_delay` the real binary reports that it is not ready and still answers every
//! request, so that load balancers can react.

use std::net::{SocketAddr, TcpStream};

use certimix::rpc::open_inference::proto::ServerReadyRequest;
use certimix::rpc::open_inference::proto::grpc_inference_service_client::GrpcInferenceServiceClient;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::Setup;
use crate::support::editable_server::EditableServer;
use crate::support::messages::{CLEAR_INPUT, floats, predict_request};
use crate::support::scrape::{Scrape, http_get};
use crate::support::server::Client;

async fn check_health(channel: &Channel, service: &str) -> ServingStatus {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let response = HealthClient::new(channel.clone()).check(request).await;
    response.unwrap().into_inner().status()
}

/// Returns the readiness by every health service, by ServerReady and by the endpoints of the
/// metrics port.
async fn readiness(channel: &Channel, metrics: SocketAddr) -> Vec<(&'static str, bool)> {
    let mut readiness = Vec::new();
    for service in [
        "",
        "certimix.v1.MixedClassifier",
        "inference.GRPCInferenceService",
        "liveness",
    ] {
        readiness.push((service, check_health(channel, service).await == ServingStatus::Serving));
    }
    let ready = GrpcInferenceServiceClient::new(channel.clone())
        .server_ready(ServerReadyRequest {})
        .await;
    readiness.push(("ServerReady", ready.unwrap().into_inner().ready));
    readiness.push(("/readyz", http_get(metrics, "/readyz").0 == 200));
    readiness.push(("/livez", http_get(metrics, "/livez").0 == 200));
    readiness
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_is_not_ready_but_still_answers_during_the_drain_delay() {
    // The delay is long enough for the checks on a busy machine.
    let setup = Setup::pair("linear_g", "linear_h").text("server.drain_delay", "5s");
    let mut server = EditableServer::start(setup);
    let channel = server.channel().await;
    let serving = readiness(&channel, server.metrics).await;
    assert!(serving.iter().all(|(_, serves)| *serves), "{serving:?}");
    server.process.signal("TERM");
    Scrape::poll_until(server.metrics, |found| found.value("certimix_serving") == 0.0);
    for (name, serves) in readiness(&channel, server.metrics).await {
        assert_eq!(serves, ["liveness", "/livez"].contains(&name), "{name}");
    }
    // The server answers on an open connection and on a new one.
    for channel in [channel.clone(), server.channel().await] {
        let response = Client::new(channel)
            .predict(predict_request(floats(&[CLEAR_INPUT])))
            .await
            .unwrap();
        assert_eq!(response.into_inner().predictions.len(), 1);
    }
    assert_eq!(server.process.wait().code(), Some(0));
    assert!(TcpStream::connect(server.address).is_err());
}
