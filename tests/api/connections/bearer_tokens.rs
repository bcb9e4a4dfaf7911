//! Bearer tokens: asked for by TCP, of everything but health; and shown to nobody.

use certimix::rpc::proto::GetModelInfoRequest;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;

use crate::support::Setup;
use crate::support::process::{ServerProcess, fails, run};
use crate::support::server::{Client, TEST_TIMEOUT};

const OLD: &str = "first-token-0123456789";
const NEW: &str = "second-token-9876543210";

fn setup() -> Setup {
    let setup = Setup::pair("linear_g", "linear_h")
        .text("server.bearer_token_file", "tokens")
        .text("server.unix_socket", "certimix.sock");
    setup.file("tokens", format!("# for rotation\n{OLD}\n{NEW}\n").as_bytes());
    setup
}

async fn code(channel: &Channel, authorization: Option<&str>) -> Code {
    let mut request = Request::new(GetModelInfoRequest {});
    if let Some(authorization) = authorization {
        let value = MetadataValue::try_from(authorization).unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    match Client::new(channel.clone()).get_model_info(request).await {
        Ok(_) => Code::Ok,
        Err(status) => {
            assert!(!status.message().contains("token-"), "{status:?}");
            status.code()
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_that_is_known_is_asked_for() {
    let setup = setup();
    let server = ServerProcess::spawn(&setup.write());
    let address = server.address();
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let channel = endpoint.timeout(TEST_TIMEOUT).connect().await.unwrap();
    assert_eq!(code(&channel, None).await, Code::Unauthenticated);
    for wrong in [
        "Bearer third-token-01234567890",
        &OLD[1..],
        &format!("Basic {OLD}"),
        &format!("Bearer {OLD}x"),
    ] {
        assert_eq!(code(&channel, Some(wrong)).await, Code::Unauthenticated, "{wrong}");
    }
    for good in [OLD, NEW] {
        assert_eq!(code(&channel, Some(&format!("Bearer {good}"))).await, Code::Ok);
    }
    // A kubelet has no token; who looks for services needs one.
    let health = HealthClient::new(channel.clone())
        .check(HealthCheckRequest::default())
        .await;
    health.unwrap();
    let mut reflection = ServerReflectionClient::new(channel);
    let asked = tokio_stream::iter([ServerReflectionRequest::default()]);
    let refused = reflection.server_reflection_info(asked).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated, "{refused:?}");
    // The socket's file has its own permissions.
    let socket = format!("unix:{}", setup.folder().join("certimix.sock").display());
    let by_socket = Endpoint::from_shared(socket).unwrap().connect().await.unwrap();
    assert_eq!(code(&by_socket, None).await, Code::Ok);
}

#[test]
fn the_clients_for_people_show_theirs() {
    let setup = setup();
    let server = ServerProcess::spawn(&setup.write());
    let address = server.address().to_string();
    let own = setup.file("own", format!("{NEW}\n").as_bytes());
    let output = run(
        &[
            "info",
            "--json",
            "--address",
            &address,
            "--token-file",
            own.to_str().unwrap(),
        ],
        &[],
    );
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let message = fails(&["info", "--address", &address], &[]);
    assert!(
        message.contains("UNAUTHENTICATED") && message.contains("--token-file"),
        "{message}"
    );
    let wrong = setup.file("wrong", b"third-token-01234567890");
    let message = fails(
        &["info", "--address", &address, "--token-file", wrong.to_str().unwrap()],
        &[],
    );
    assert!(
        message.contains("UNAUTHENTICATED") && !message.contains("third-token"),
        "{message}"
    );
}

#[test]
fn files_without_tokens_are_told() {
    for (text, told) in [("", "found 0"), ("# none\n", "found 0"), ("hunter2\n", "line 1")] {
        let setup = setup();
        setup.file("tokens", text.as_bytes());
        let message = fails(&["serve", setup.write().to_str().unwrap()], &[]);
        assert!(
            message.contains("server.bearer_token_file:") && message.contains(told),
            "{message}"
        );
        assert!(!message.contains("hunter2"), "{message}");
    }
    let absent = setup().text("server.bearer_token_file", "absent");
    let message = fails(&["serve", absent.write().to_str().unwrap()], &[]);
    assert!(
        message.contains("server.bearer_token_file:") && message.contains("No such file"),
        "{message}"
    );
}
