//! Server reflection lists the services, in both versions that clients ask for.

use tonic_reflection::pb::{v1, v1alpha};

use crate::support::{Setup, TestServer};

const EXPECTED: [&str; 3] = [
    "certimix.v1.MixedClassifier",
    "grpc.health.v1.Health",
    "inference.GRPCInferenceService",
];

fn assert_listed(names: &[String]) {
    for expected in EXPECTED {
        assert!(
            names.iter().any(|name| name == expected),
            "{expected} is not among {names:?}"
        );
    }
}

/// The names of all services, as version 1 tells them.
pub async fn services(server: &TestServer) -> Vec<String> {
    match answers(
        server,
        [v1::server_reflection_request::MessageRequest::ListServices(
            String::new(),
        )],
    )
    .await
    .remove(0)
    {
        v1::server_reflection_response::MessageResponse::ListServicesResponse(list) => {
            list.service.into_iter().map(|service| service.name).collect()
        }
        other => panic!("{other:?}"),
    }
}

/// What version 1 answers to each request.
async fn answers<const N: usize>(
    server: &TestServer,
    requests: [v1::server_reflection_request::MessageRequest; N],
) -> Vec<v1::server_reflection_response::MessageResponse> {
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(server.channel().await);
    let requests = requests.map(|request| v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(request),
    });
    let mut stream = client
        .server_reflection_info(tokio_stream::iter(requests))
        .await
        .unwrap()
        .into_inner();
    let mut answers = Vec::new();
    while let Some(answer) = stream.message().await.unwrap() {
        answers.push(answer.message_response.unwrap());
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn version_1_lists_and_describes() {
    use v1::server_reflection_request::MessageRequest;
    use v1::server_reflection_response::MessageResponse;

    let server = TestServer::start(Setup::pair("linear_g", "linear_h")).await;
    assert_listed(&services(&server).await);
    let symbols = EXPECTED.map(|name| MessageRequest::FileContainingSymbol(name.to_owned()));
    for answer in answers(&server, symbols).await {
        match answer {
            MessageResponse::FileDescriptorResponse(files) => assert!(!files.file_descriptor_proto.is_empty()),
            other => panic!("{other:?}"),
        }
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
