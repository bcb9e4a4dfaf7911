//! TLS and tokens are turned on and off by reload, on the real binary, and open connections live on.

use certimix::rpc::proto::GetModelInfoRequest;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};

use crate::support::editable_server::{APPLIED, EditableServer};
use crate::support::model_info_poller::replace;
use crate::support::scrape::Scrape;
use crate::support::server::{Client, TEST_TIMEOUT};
use crate::support::tls_authority::{CertificateAuthority, VALID_NOW};
use crate::support::{Setup, messages};

const TOKEN: &str = "first-token-0123456789";
const EXPIRY: &str = "certimix_tls_certificate_expiry_timestamp_seconds";

async fn code(channel: &Channel, token: Option<&str>) -> Code {
    let mut request = Request::new(GetModelInfoRequest {});
    if let Some(token) = token {
        let value = MetadataValue::try_from(format!("Bearer {token}")).unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    let answer = Client::new(channel.clone()).get_model_info(request).await;
    answer.map_or_else(|status| status.code(), |_| Code::Ok)
}

/// Adds `lines` to the settings, or takes them away, and waits until that is in force.
fn change(server: &EditableServer, change: impl FnOnce(&str) -> String) {
    let before = server.scrape().value(APPLIED);
    replace(&server.file, change);
    Scrape::poll_until(server.metrics, |found| found.value(APPLIED) > before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_come_and_go() {
    let server = EditableServer::start(Setup::pair("linear_g", "linear_h"));
    server.setup.file("tokens", format!("{TOKEN}\n").as_bytes());
    let open = server.channel().await;
    assert_eq!(code(&open, None).await, Code::Ok);
    let line = "server.bearer_token_file = \"tokens\"\n";
    change(&server, |text| format!("{text}{line}"));
    // On a connection from before as on any other.
    assert_eq!(code(&open, None).await, Code::Unauthenticated);
    assert_eq!(code(&server.channel().await, Some("x")).await, Code::Unauthenticated);
    assert_eq!(code(&open, Some(TOKEN)).await, Code::Ok);
    assert_eq!(server.scrape().value("certimix_unauthenticated_requests_total"), 2.0);
    change(&server, |text| text.replace(line, ""));
    assert_eq!(code(&open, None).await, Code::Ok);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_comes_and_goes() {
    let authority = CertificateAuthority::new();
    let server = EditableServer::start(Setup::pair("linear_g", "linear_h"));
    authority.sign(VALID_NOW).write(&server.setup, "server");
    let secure = || {
        let endpoint = Endpoint::from_shared(format!("https://{}", server.address)).unwrap();
        endpoint
            .timeout(TEST_TIMEOUT)
            .tls_config(authority.client_config())
            .unwrap()
    };
    let plain = || {
        Endpoint::from_shared(format!("http://{}", server.address))
            .unwrap()
            .timeout(TEST_TIMEOUT)
    };
    let answered = async |endpoint: Endpoint| match endpoint.connect().await {
        Ok(channel) => Client::new(channel)
            .predict(messages::predict_request(messages::floats(&[messages::CLEAR_INPUT])))
            .await
            .is_ok(),
        Err(_) => false,
    };
    let open = server.channel().await;
    assert_eq!(code(&open, None).await, Code::Ok);
    assert!(!answered(secure()).await && answered(plain()).await);
    assert_eq!(server.scrape().series.get(EXPIRY), None);

    let lines = "tls.certificate = \"server.pem\"\ntls.key = \"server.key\"\n";
    change(&server, |text| format!("{text}{lines}"));
    assert!(answered(secure()).await && !answered(plain()).await);
    assert_eq!(code(&open, None).await, Code::Ok, "an open connection lives on");
    let found = server.scrape();
    // The first of January 4000.
    assert_eq!(found.value(EXPIRY), 64_060_588_800.0);
    assert!(found.value(r#"certimix_connection_failures_total{reason="handshake"}"#) >= 1.0);

    change(&server, |text| text.replace(lines, ""));
    assert!(!answered(secure()).await && answered(plain()).await);
    assert_eq!(code(&open, None).await, Code::Ok);
    assert_eq!(server.scrape().series.get(EXPIRY), None);
}
