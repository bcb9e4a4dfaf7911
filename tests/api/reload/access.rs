//! TLS and tokens are turned on and off by reload, on the real binary, and open connections live on.

use certimix::rpc::proto::GetModelInfoRequest;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};

use crate::support::editable_server::{APPLIED, Editor};
use crate::support::model_info_poller::replace;
use crate::support::scrape::Scrape;
use crate::support::server::{Client, PATIENCE};
use crate::support::tls_authority::{Authority, VALID};
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
fn change(editor: &Editor, change: impl FnOnce(&str) -> String) {
    let before = editor.scrape().value(APPLIED);
    replace(&editor.file, change);
    Scrape::until(editor.metrics, |found| found.value(APPLIED) > before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_come_and_go() {
    let editor = Editor::start(Setup::pair("linear_g", "linear_h"));
    editor.setup.file("tokens", format!("{TOKEN}\n").as_bytes());
    let open = editor.channel().await;
    assert_eq!(code(&open, None).await, Code::Ok);
    let line = "server.bearer_token_file = \"tokens\"\n";
    change(&editor, |text| format!("{text}{line}"));
    // On a connection from before as on any other.
    assert_eq!(code(&open, None).await, Code::Unauthenticated);
    assert_eq!(code(&editor.channel().await, Some("x")).await, Code::Unauthenticated);
    assert_eq!(code(&open, Some(TOKEN)).await, Code::Ok);
    assert_eq!(editor.scrape().value("certimix_unauthenticated_requests_total"), 2.0);
    change(&editor, |text| text.replace(line, ""));
    assert_eq!(code(&open, None).await, Code::Ok);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_comes_and_goes() {
    let authority = Authority::new();
    let editor = Editor::start(Setup::pair("linear_g", "linear_h"));
    authority.sign(VALID).write(&editor.setup, "server");
    let secure = || {
        let endpoint = Endpoint::from_shared(format!("https://{}", editor.address)).unwrap();
        endpoint.timeout(PATIENCE).tls_config(authority.trusting()).unwrap()
    };
    let plain = || {
        Endpoint::from_shared(format!("http://{}", editor.address))
            .unwrap()
            .timeout(PATIENCE)
    };
    let answered = async |endpoint: Endpoint| match endpoint.connect().await {
        Ok(channel) => Client::new(channel)
            .predict(messages::predict(messages::floats(&[messages::CLEAR])))
            .await
            .is_ok(),
        Err(_) => false,
    };
    let open = editor.channel().await;
    assert_eq!(code(&open, None).await, Code::Ok);
    assert!(!answered(secure()).await && answered(plain()).await);
    assert_eq!(editor.scrape().series.get(EXPIRY), None);

    let lines = "tls.certificate = \"server.pem\"\ntls.key = \"server.key\"\n";
    change(&editor, |text| format!("{text}{lines}"));
    assert!(answered(secure()).await && !answered(plain()).await);
    assert_eq!(code(&open, None).await, Code::Ok, "an open connection lives on");
    let found = editor.scrape();
    // The first of January 4000.
    assert_eq!(found.value(EXPIRY), 64_060_588_800.0);
    assert!(found.value(r#"certimix_connection_failures_total{reason="handshake"}"#) >= 1.0);

    change(&editor, |text| text.replace(lines, ""));
    assert!(!answered(secure()).await && answered(plain()).await);
    assert_eq!(code(&open, None).await, Code::Ok);
    assert_eq!(editor.scrape().series.get(EXPIRY), None);
}
