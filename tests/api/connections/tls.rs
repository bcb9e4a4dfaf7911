//! TLS: the server requires valid certificates, reports invalid ones and reloads changed ones.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tonic::transport::{Channel, ClientTlsConfig, Endpoint, Error};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::support::messages::{CLEAR_INPUT, floats};
use crate::support::process::{ServerProcess, fails, run};
use crate::support::server::{Client, TEST_TIMEOUT};
use crate::support::tls_authority::{CertificateAuthority, VALID_NOW, with_tls};
use crate::support::{Setup, messages};

fn setup() -> Setup {
    Setup::pair("linear_g", "linear_h")
}

async fn connect(address: std::net::SocketAddr, tls: ClientTlsConfig) -> Result<Channel, Error> {
    let endpoint = Endpoint::from_shared(format!("https://{address}")).unwrap();
    endpoint.timeout(TEST_TIMEOUT).tls_config(tls).unwrap().connect().await
}

async fn is_answered(channel: Result<Channel, Error>) -> bool {
    let Ok(channel) = channel else { return false };
    // With TLS 1.3 a client detects only now that the server refused its certificate.
    let response = Client::new(channel)
        .predict(messages::predict_request(floats(&[CLEAR_INPUT])))
        .await;
    response.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_client_that_trusts_the_authority_is_answered() {
    let authority = CertificateAuthority::new();
    let setup = with_tls(setup(), &authority.sign(VALID_NOW));
    let ca = setup.file("ca.pem", authority.pem.as_bytes());
    let server = ServerProcess::spawn(&setup.write());
    let address = server.address();
    assert!(is_answered(connect(address, authority.client_config()).await).await);
    assert!(!is_answered(connect(address, CertificateAuthority::new().client_config()).await).await);
    // The server refuses plaintext.
    let plain = Endpoint::from_shared(format!("http://{address}")).unwrap();
    assert!(!is_answered(plain.timeout(TEST_TIMEOUT).connect().await).await);
    assert!(is_answered(connect(address, authority.client_config()).await).await);

    // The command line client.
    let url = format!("https://localhost:{}", address.port());
    let ca = ca.to_str().unwrap();
    let output = run(&["info", "--json", "--address", &url, "--tls-ca", ca], &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let message = fails(&["info", "--address", &url], &[]);
    assert!(message.contains("--tls-ca"), "{message}");
    let other = setup.file("other.pem", CertificateAuthority::new().pem.as_bytes());
    let message = fails(&["info", "--address", &url, "--tls-ca", other.to_str().unwrap()], &[]);
    assert!(
        message.contains("certificate") && message.contains("--tls-ca"),
        "{message}"
    );
    let http = format!("http://localhost:{}", address.port());
    let message = fails(&["info", "--address", &http, "--tls-ca", ca], &[]);
    assert!(message.contains("https://"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_required_client_certificate_is_checked() {
    let (servers, clients) = (CertificateAuthority::new(), CertificateAuthority::new());
    let setup = with_tls(setup(), &servers.sign(VALID_NOW)).text("tls.client_ca", "clients.pem");
    setup.file("clients.pem", clients.pem.as_bytes());
    let client = clients.sign(VALID_NOW);
    let (certificate, key) = client.write(&setup, "client");
    let ca = setup.file("ca.pem", servers.pem.as_bytes());
    let server = ServerProcess::spawn(&setup.write());
    let address = server.address();
    let with =
        |pair: &crate::support::tls_authority::CertificateAndKey| servers.client_config().identity(pair.identity());
    assert!(is_answered(connect(address, with(&client)).await).await);
    assert!(!is_answered(connect(address, servers.client_config()).await).await);
    assert!(!is_answered(connect(address, with(&servers.sign(VALID_NOW))).await).await);
    assert!(!is_answered(connect(address, with(&clients.sign((2000, 2001)))).await).await);
    server.line_with("TLS handshake failed");

    let url = format!("https://localhost:{}", address.port());
    let common = ["info", "--json", "--address", &url, "--tls-ca", ca.to_str().unwrap()];
    let own = [
        "--tls-certificate",
        certificate.to_str().unwrap(),
        "--tls-key",
        key.to_str().unwrap(),
    ];
    let output = run(&[&common[..], &own].concat(), &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let message = fails(&common, &[]);
    assert!(message.contains("--tls-certificate"), "{message}");
}

#[test]
fn invalid_tls_settings_are_reported_by_key() {
    let authority = CertificateAuthority::new();
    let good = authority.sign(VALID_NOW);
    let refused = |setup: Setup, expected: &[&str]| {
        let message = fails(&["serve", setup.write().to_str().unwrap()], &[]);
        for text in expected {
            assert!(message.contains(text), "no \"{text}\" in {message}");
        }
    };
    let expired = with_tls(setup(), &authority.sign((2000, 2001)));
    refused(expired, &["tls.certificate:", "server.pem", "expired at 2001-01-01"]);
    let early = with_tls(setup(), &authority.sign((3000, 4000)));
    refused(early, &["tls.certificate:", "not valid before 3000-01-01"]);
    let mixed = with_tls(setup(), &good);
    mixed.file("server.key", authority.sign(VALID_NOW).key.as_bytes());
    refused(mixed, &["tls.key:", "server.key is not the key of tls.certificate"]);
    let invalid = with_tls(setup(), &good);
    invalid.file("server.pem", b"no certificate at all");
    invalid.file("server.key", good.certificate.as_bytes());
    // Both errors are reported at once.
    refused(
        invalid,
        &[
            "tls.certificate:",
            "holds no certificate",
            "tls.key:",
            "holds no private key",
        ],
    );
    let cut = with_tls(setup(), &good);
    cut.file("server.pem", &good.certificate.as_bytes()[..good.certificate.len() / 2]);
    refused(cut, &["tls.certificate:"]);
    let absent = with_tls(setup(), &good).text("tls.client_ca", "absent.pem");
    refused(absent, &["tls.client_ca:", "absent.pem", "No such file"]);
    let half = setup().text("tls.certificate", "server.pem");
    refused(half, &["tls.key: is missing", "tls.certificate"]);
    let other_half = setup().text("tls.key", "server.key");
    refused(other_half, &["tls.certificate: is missing", "tls.key"]);
    let no_tls = setup().text("tls.client_ca", "clients.pem");
    refused(no_tls, &["tls.certificate: is missing", "tls.client_ca"]);
}

#[test]
fn plaintext_on_other_interfaces_requires_permission() {
    let open = || setup().text("server.listen", "0.0.0.0:0");
    let message = fails(&["serve", open().write().to_str().unwrap()], &[]);
    for text in [
        "server.listen: other machines can reach 0.0.0.0:0",
        "tls.certificate",
        "server.allow_plaintext",
    ] {
        assert!(message.contains(text), "no \"{text}\" in {message}");
    }
    let allowed = open().with("server.allow_plaintext", true);
    ServerProcess::spawn(&allowed.write()).line_with("certimix is ready on 0.0.0.0:");
    let with_tls = with_tls(open(), &CertificateAuthority::new().sign(VALID_NOW));
    ServerProcess::spawn(&with_tls.write()).line_with("certimix is ready on 0.0.0.0:");
}

async fn is_healthy(channel: Result<Channel, Error>) -> bool {
    let Ok(channel) = channel else { return false };
    HealthClient::new(channel)
        .check(HealthCheckRequest::default())
        .await
        .is_ok()
}

/// Waits until a client with this TLS configuration gets a response.
async fn wait_until_healthy(address: SocketAddr, tls_config: impl Fn() -> ClientTlsConfig) {
    let began = Instant::now();
    while !is_healthy(connect(address, tls_config()).await).await {
        assert!(began.elapsed() < TEST_TIMEOUT, "the new files are never in force");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_reloaded_while_the_server_runs() {
    let (old, new, clients) = (
        CertificateAuthority::new(),
        CertificateAuthority::new(),
        CertificateAuthority::new(),
    );
    let setup = with_tls(setup(), &old.sign(VALID_NOW));
    let server = ServerProcess::spawn(&setup.write());
    let address = server.address();
    let before = connect(address, old.client_config()).await;
    let mut open = HealthClient::new(before.unwrap());
    open.check(HealthCheckRequest::default()).await.unwrap();

    // The server reports an invalid certificate, and keeps the old one.
    old.sign((2000, 2001)).write(&setup, "server");
    let refused = server.line_with("expired");
    assert!(refused.contains("tls.certificate"), "{refused}");
    assert!(is_healthy(connect(address, old.client_config()).await).await);

    new.sign(VALID_NOW).write(&setup, "server");
    wait_until_healthy(address, || new.client_config()).await;
    assert!(!is_healthy(connect(address, old.client_config()).await).await);
    open.check(HealthCheckRequest::default()).await.unwrap();

    // The certificate authorities of clients are reloaded too.
    setup.file("clients.pem", clients.pem.as_bytes());
    let setup = setup.text("tls.client_ca", "clients.pem");
    setup.write();
    let trusted_client = || new.client_config().identity(clients.sign(VALID_NOW).identity());
    server.line_with("tls.client_ca");
    wait_until_healthy(address, trusted_client).await;
    assert!(!is_healthy(connect(address, new.client_config()).await).await);
    open.check(HealthCheckRequest::default()).await.unwrap();
}
