//! The authorities of client certificates during a rotation.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, date_time_ymd};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};

use crate::support::Setup;
use crate::support::editable_server::EditableServer;
use crate::support::messages::{CLEAR_INPUT, floats, predict_request};
use crate::support::process::{fails, run};
use crate::support::scrape::Scrape;
use crate::support::server::{Client, TEST_TIMEOUT};
use crate::support::tls_authority::{CertificateAuthority, VALID_NOW, with_tls};

const UNTRUSTED: &str = "certimix_tls_client_authorities_untrusted";

/// A self-signed authority that expired at the start of 2001.
fn expired_authority() -> String {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "the old authority");
    (params.not_before, params.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1));
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

async fn is_answered(server: &EditableServer, tls: ClientTlsConfig) -> bool {
    let endpoint = Endpoint::from_shared(format!("https://{}", server.address)).unwrap();
    let connected: Result<Channel, _> = endpoint.timeout(TEST_TIMEOUT).tls_config(tls).unwrap().connect().await;
    let Ok(channel) = connected else { return false };
    let request = predict_request(floats(&[CLEAR_INPUT]));
    Client::new(channel).predict(request).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_authority_beside_a_valid_one_is_left_out_with_a_warning() {
    let (servers, clients) = (CertificateAuthority::new(), CertificateAuthority::new());
    let old = expired_authority();
    let setup = with_tls(Setup::pair("linear_g", "linear_h"), &servers.sign(VALID_NOW)).text("tls.client_ca", "ca.pem");
    setup.file("ca.pem", format!("{old}{}", clients.pem).as_bytes());

    // The check warns, and does not refuse.
    let file = setup.write();
    let checked = run(&["check-config", "--json", file.to_str().unwrap()], &[]);
    let shown: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(shown["valid"], true, "{shown}");
    let warnings = shown["warnings"].as_array().unwrap();
    let warning = warnings.iter().find(|found| found["key"] == "tls.client_ca").unwrap();
    assert!(
        warning["message"]
            .as_str()
            .unwrap()
            .contains("the old authority expired at 2001"),
        "{warning}"
    );

    let server = EditableServer::start(setup);
    server.process.line_with("the old authority expired at 2001");
    assert_eq!(server.scrape().value(UNTRUSTED), 1.0);
    let client = servers.client_config().identity(clients.sign(VALID_NOW).identity());
    assert!(is_answered(&server, client.clone()).await);
    let stranger = CertificateAuthority::new().sign(VALID_NOW).identity();
    assert!(!is_answered(&server, servers.client_config().identity(stranger)).await);

    // The rotation is complete.
    server.setup.file("ca.pem", clients.pem.as_bytes());
    Scrape::poll_until(server.metrics, |found| found.value(UNTRUSTED) == 0.0);
    assert!(is_answered(&server, client.clone()).await);

    // A bundle without any valid authority is rejected, and the last one stays.
    server.setup.file("ca.pem", old.as_bytes());
    Scrape::poll_until(server.metrics, |found| found.value("certimix_access_pending") == 1.0);
    assert!(is_answered(&server, client).await);
    let message = fails(&["serve", server.setup.write().to_str().unwrap()], &[]);
    assert!(
        message.contains("tls.client_ca:") && message.contains("expired at 2001"),
        "{message}"
    );
}
