//! `server.drain_delay`, on the real binary: who routes requests hears of the end first, and meanwhile everybody is answered.

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

async fn health(channel: &Channel, service: &str) -> ServingStatus {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let answer = HealthClient::new(channel.clone()).check(request).await;
    answer.unwrap().into_inner().status()
}

/// Of every name, whether it serves; and what the second protocol and the metrics' port say.
async fn told(channel: &Channel, metrics: SocketAddr) -> Vec<(&'static str, bool)> {
    let mut told = Vec::new();
    for service in [
        "",
        "certimix.v1.MixedClassifier",
        "inference.GRPCInferenceService",
        "liveness",
    ] {
        told.push((service, health(channel, service).await == ServingStatus::Serving));
    }
    let ready = GrpcInferenceServiceClient::new(channel.clone())
        .server_ready(ServerReadyRequest {})
        .await;
    told.push(("ServerReady", ready.unwrap().into_inner().ready));
    told.push(("/readyz", http_get(metrics, "/readyz").0 == 200));
    told.push(("/livez", http_get(metrics, "/livez").0 == 200));
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_is_told_before_it_comes() {
    // Long enough for a busy machine to look at it.
    let setup = Setup::pair("linear_g", "linear_h").text("server.drain_delay", "5s");
    let mut server = EditableServer::start(setup);
    let channel = server.channel().await;
    let serving = told(&channel, server.metrics).await;
    assert!(serving.iter().all(|(_, serves)| *serves), "{serving:?}");
    server.process.signal("TERM");
    Scrape::poll_until(server.metrics, |found| found.value("certimix_serving") == 0.0);
    for (name, serves) in told(&channel, server.metrics).await {
        assert_eq!(serves, ["liveness", "/livez"].contains(&name), "{name}");
    }
    // On an open connection, and on one that comes now.
    for channel in [channel.clone(), server.channel().await] {
        let answer = Client::new(channel)
            .predict(predict_request(floats(&[CLEAR_INPUT])))
            .await
            .unwrap();
        assert_eq!(answer.into_inner().predictions.len(), 1);
    }
    assert_eq!(server.process.wait().code(), Some(0));
    assert!(TcpStream::connect(server.address).is_err());
}
