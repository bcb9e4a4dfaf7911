//! TLS files and tokens are reloaded on their own: they wait for no other file, and a rejected file
//! of theirs stops no other change.

use certimix::rpc::proto::{GetModelInfoRequest, GetModelInfoResponse};
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::support::Setup;
use crate::support::config_edit::replace_file;
use crate::support::editable_server::{APPLIED, EditableServer};
use crate::support::scrape::Scrape;
use crate::support::server::Client;

const KEPT: &str = "kept-token-0123456789";
const LEAKED: &str = "leaked-token-0123456789";
const REJECTED: &str = r#"certimix_config_reloads_total{result="rejected"}"#;
const ACCESS_APPLIED: &str = r#"certimix_access_reloads_total{result="applied"}"#;
const ACCESS_REJECTED: &str = r#"certimix_access_reloads_total{result="rejected"}"#;
const PENDING: &str = "certimix_config_pending";
const ACCESS_PENDING: &str = "certimix_access_pending";

async fn info(channel: &Channel, token: Option<&str>) -> Result<GetModelInfoResponse, Status> {
    let mut request = Request::new(GetModelInfoRequest {});
    if let Some(token) = token {
        let value = MetadataValue::try_from(format!("Bearer {token}")).unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    let response = Client::new(channel.clone()).get_model_info(request).await;
    response.map(tonic::Response::into_inner)
}

async fn code(channel: &Channel, token: Option<&str>) -> Code {
    info(channel, token)
        .await
        .map_or_else(|status| status.code(), |_| Code::Ok)
}

/// A server that accepts both tokens, and whose robust manifest the test may break.
fn start() -> EditableServer {
    let setup = Setup::pair("linear_g", "linear_h")
        .copied("models.robust", "linear_h")
        .text("server.bearer_token_file", "tokens");
    write_tokens(&setup, &[KEPT, LEAKED]);
    EditableServer::start(setup)
}

fn write_tokens(setup: &Setup, tokens: &[&str]) {
    setup.file("tokens.new", tokens.join("\n").as_bytes());
    std::fs::rename(setup.folder().join("tokens.new"), setup.folder().join("tokens")).unwrap();
}

fn poll(server: &EditableServer, holds: impl Fn(&Scrape) -> bool) -> Scrape {
    Scrape::poll_until(server.metrics, holds)
}

/// Whatever is wrong with the rest, a leaked token is revoked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_revoked_while_the_rest_of_the_change_is_rejected() {
    type Breakage = fn(&EditableServer);
    let breakages: [(&str, Breakage); 4] = [
        ("a manifest", |server| {
            replace_file(&server.setup.folder().join("linear_h.toml"), |text| {
                format!("{text}\nbroken =")
            });
        }),
        ("the settings", |server| {
            replace_file(&server.file, |text| format!("{text}\nbroken ="))
        }),
        ("a key that needs a restart", |server| server.write("server.threads", 3)),
        ("no settings file", |server| std::fs::remove_file(&server.file).unwrap()),
    ];
    for (name, breakage) in breakages {
        let server = start();
        let open = server.channel().await;
        assert_eq!(code(&open, Some(LEAKED)).await, Code::Ok, "{name}");
        breakage(&server);
        poll(&server, |found| found.value(PENDING) == 1.0);
        write_tokens(&server.setup, &[KEPT]);
        let found = poll(&server, |found| found.value(ACCESS_APPLIED) == 1.0);
        // The open connection too.
        assert_eq!(code(&open, Some(LEAKED)).await, Code::Unauthenticated, "{name}");
        let config = info(&open, Some(KEPT)).await.unwrap().config.unwrap();
        assert_eq!(
            (config.access_reloads, config.access_pending_error),
            (1, None),
            "{name}"
        );
        // The rest is rejected all the same.
        assert_eq!(
            (found.value(PENDING), found.value(ACCESS_PENDING)),
            (1.0, 0.0),
            "{name}"
        );
        assert!(config.pending_error.is_some() && found.value(REJECTED) >= 1.0, "{name}");
        server.process.line_with("TLS files or tokens reloaded");
    }
}

/// The new token file of a change applies while the models of the same change are rejected.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_change_is_applied_for_access_and_rejected_for_the_rest() {
    let server = start();
    let open = server.channel().await;
    server.setup.file("other", format!("{KEPT}\n").as_bytes());
    replace_file(&server.file, |text| {
        text.replace("\"linear_h.toml\"", "\"absent.toml\"")
            .replace("\"tokens\"", "\"other\"")
    });
    let found = poll(&server, |found| {
        found.value(ACCESS_APPLIED) == 1.0 && found.value(REJECTED) == 1.0
    });
    assert_eq!(found.value(APPLIED), 0.0);
    assert_eq!(code(&open, Some(LEAKED)).await, Code::Unauthenticated);
    let config = info(&open, Some(KEPT)).await.unwrap().config.unwrap();
    assert_eq!(config.access_reloads, 1);
    assert_eq!(config.pending_error.unwrap().violations[0].field, "models.robust");
}

/// A change that removes a guard removes it only as a whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guard_is_not_removed_by_a_change_that_is_rejected() {
    let server = start();
    let open = server.channel().await;
    let without_tokens = |text: &str| text.replace("server.bearer_token_file = \"tokens\"\n", "");
    let manifest = server.setup.folder().join("linear_h.toml");
    let whole = std::fs::read_to_string(&manifest).unwrap();
    replace_file(&manifest, |text| format!("{text}\nbroken ="));
    poll(&server, |found| found.value(REJECTED) == 1.0);
    replace_file(&server.file, |text| without_tokens(text));
    poll(&server, |found| found.value(REJECTED) == 2.0);
    server.process.signal("HUP");
    poll(&server, |found| found.value(REJECTED) == 3.0);
    assert_eq!(code(&open, None).await, Code::Unauthenticated);
    assert_eq!(code(&open, Some(KEPT)).await, Code::Ok);
    // Meanwhile the file in force is followed.
    write_tokens(&server.setup, &[KEPT]);
    poll(&server, |found| found.value(ACCESS_APPLIED) == 1.0);
    assert_eq!(code(&open, Some(LEAKED)).await, Code::Unauthenticated);
    replace_file(&manifest, |_| whole);
    poll(&server, |found| found.value(APPLIED) == 1.0);
    assert_eq!(code(&open, None).await, Code::Ok);
}

/// Without a usable file the old tokens stay, because no token would refuse every caller. This is
/// loud.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_or_absent_token_file_keeps_the_tokens_and_is_reported() {
    let server = start();
    let open = server.channel().await;
    write_tokens(&server.setup, &["# none"]);
    let found = poll(&server, |found| found.value(ACCESS_PENDING) == 1.0);
    assert_eq!((found.value(PENDING), found.value(ACCESS_REJECTED)), (1.0, 1.0));
    server
        .process
        .line_with("a token or an authority that was removed is still accepted");
    let config = info(&open, Some(LEAKED)).await.unwrap().config.unwrap();
    assert_eq!(config.pending_error, None);
    let pending = config.access_pending_error.unwrap();
    assert_eq!(pending.violations[0].field, "server.bearer_token_file");
    assert!(
        pending.violations[0].description.contains("expected 1 to 64 tokens"),
        "{pending:?}"
    );
    // The rest of the settings can still be changed.
    server.set("mixture.alpha", 0.7);
    std::fs::remove_file(server.setup.folder().join("tokens")).unwrap();
    poll(&server, |found| found.value(ACCESS_REJECTED) == 2.0);
    assert_eq!(code(&open, Some(LEAKED)).await, Code::Ok);
    assert_eq!(code(&open, None).await, Code::Unauthenticated);
    write_tokens(&server.setup, &[KEPT]);
    let found = poll(&server, |found| found.value(ACCESS_PENDING) == 0.0);
    assert_eq!(found.value(PENDING), 0.0);
    assert_eq!(code(&open, Some(LEAKED)).await, Code::Unauthenticated);
}

/// The half of a key pair that is replaced first does not hold up the tokens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_do_not_wait_for_tls() {
    let server = start();
    let open = server.channel().await;
    server.setup.file("server.pem", b"no certificate");
    write_tokens(&server.setup, &[KEPT]);
    replace_file(&server.file, |text| {
        format!("{text}tls.certificate = \"server.pem\"\ntls.key = \"absent.key\"\n")
    });
    poll(&server, |found| {
        found.value(ACCESS_APPLIED) == 1.0 && found.value(ACCESS_REJECTED) >= 1.0
    });
    assert_eq!(code(&open, Some(LEAKED)).await, Code::Unauthenticated);
    let config = info(&open, Some(KEPT)).await.unwrap().config.unwrap();
    let violations = config.access_pending_error.unwrap().violations;
    let fields: Vec<&str> = violations.iter().map(|wrong| wrong.field.as_str()).collect();
    assert_eq!(fields, ["tls.certificate", "tls.key"]);
}
