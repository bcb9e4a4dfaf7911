//! Server reflection lists the services, in both versions that clients ask for.

use tonic_reflection::pb::{v1, v1alpha};

use crate::support::{Setup, TestServer};

const EXPECTED: [&str; 2] = ["certimix.v1.MixedClassifier", "grpc.health.v1.Health"];

fn assert_listed(names: &[String]) {
    for expected in EXPECTED {
        assert!(
            names.iter().any(|name| name == expected),
            "{expected} is not among {names:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn version_1_lists_and_describes() {
    use v1::server_reflection_request::MessageRequest;
    use v1::server_reflection_response::MessageResponse;

    let server = TestServer::start(Setup::pair("linear_g", "linear_h")).await;
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(server.channel().await);
    let ask = |request| v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(request),
    };
    let requests = [
        ask(MessageRequest::ListServices(String::new())),
        ask(MessageRequest::FileContainingSymbol(
            "certimix.v1.MixedClassifier".to_owned(),
        )),
    ];
    let mut answers = client
        .server_reflection_info(tokio_stream::iter(requests))
        .await
        .unwrap()
        .into_inner();
    match answers.message().await.unwrap().unwrap().message_response.unwrap() {
        MessageResponse::ListServicesResponse(list) => {
            assert_listed(&list.service.into_iter().map(|service| service.name).collect::<Vec<_>>());
        }
        other => panic!("{other:?}"),
    }
    match answers.message().await.unwrap().unwrap().message_response.unwrap() {
        MessageResponse::FileDescriptorResponse(files) => assert!(!files.file_descriptor_proto.is_empty()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn version_1_alpha_lists_too() {
    use v1alpha::server_reflection_request::MessageRequest;
    use v1alpha::server_reflection_response::MessageResponse;

    let server = TestServer::start(Setup::pair("linear_g", "linear_h")).await;
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(server.channel().await);
    let message_request = Some(MessageRequest::ListServices(String::new()));
    let request = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request,
    };
    let mut answers = client
        .server_reflection_info(tokio_stream::iter([request]))
        .await
        .unwrap()
        .into_inner();
    match answers.message().await.unwrap().unwrap().message_response.unwrap() {
        MessageResponse::ListServicesResponse(list) => {
            assert_listed(&list.service.into_iter().map(|service| service.name).collect::<Vec<_>>());
        }
        other => panic!("{other:?}"),
    }
}
