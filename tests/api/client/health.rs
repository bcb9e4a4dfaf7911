//! `certimix health` says by its exit code and one line whether a server is ready, not ready or
//! unreachable.

use std::net::TcpListener;

use super::command::Run;
use crate::support::process::{self, ServerProcess};
use crate::support::slow_load::slow_load;
use crate::support::tls_authority::{CertificateAuthority, VALID_NOW, with_tls};
use crate::support::{Setup, TestServer};

/// Far longer than an answer takes on a loaded machine.
const DEADLINE: &str = "30s";

fn setup() -> Setup {
    Setup::pair("linear_g", "linear_h")
}

/// Probes the server at `address`.
fn health(address: &str, more: &[&str]) -> Run {
    let arguments = ["health", "--address", address, "--deadline", DEADLINE];
    Run::of(process::run(&[&arguments[..], more].concat(), &[]))
}

/// Asserts the exit code, and that there is one line: on stdout for a status, on stderr for an
/// error.
#[track_caller]
fn assert_line(run: &Run, code: i32, expected: &str) {
    assert_eq!(run.code, Some(code), "{run:?}");
    let (line, other) = if run.stdout.is_empty() {
        (&run.stderr, &run.stdout)
    } else {
        (&run.stdout, &run.stderr)
    };
    assert_eq!((line.lines().count(), other.as_str()), (1, ""), "{run:?}");
    assert!(line.contains(expected), "\"{expected}\" in {run:?}");
}

#[test]
fn a_ready_server_answers_every_probe() {
    let setup = setup();
    let server = ServerProcess::spawn(&setup.write());
    let address = server.address().to_string();
    assert_line(
        &health(&address, &[]),
        0,
        &format!("readiness of http://{address}: SERVING"),
    );
    assert_line(&health(&address, &["--probe", "liveness"]), 0, "liveness of http://");
    let service = ["--service", "certimix.v1.MixedClassifier"];
    assert_line(
        &health(&address, &service),
        0,
        "service \"certimix.v1.MixedClassifier\" of ",
    );
    assert_line(
        &health(&address, &["--service", "certimix.v9.Unknown"]),
        1,
        "SERVICE_UNKNOWN",
    );

    let run = health(&address, &["--json"]);
    let expected = serde_json::json!({
        "address": format!("http://{address}"), "probe": "readiness", "service": "",
        "reachable": true, "healthy": true, "status": "SERVING", "error": null,
    });
    assert_eq!((run.code, run.records()), (Some(0), vec![expected]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_that_loads_is_alive_and_not_ready() {
    let server = TestServer::listen(slow_load());
    let address = server.address.to_string();
    let runs = tokio::task::spawn_blocking(move || {
        [
            health(&address, &[]),
            health(&address, &["--service", "inference.GRPCInferenceService", "--json"]),
            health(&address, &["--probe", "liveness"]),
        ]
    });
    let [ready, service, alive] = runs.await.unwrap();
    assert_line(&ready, 1, "NOT_SERVING");
    assert_eq!(service.code, Some(1), "{service:?}");
    let record = &service.records()[0];
    assert_eq!(record["status"], "NOT_SERVING", "{service:?}");
    assert_eq!(record["healthy"], false, "{service:?}");
    assert!(record["probe"].is_null(), "{service:?}");
    assert_line(&alive, 0, "liveness of ");
}

#[test]
fn a_server_that_is_not_there_is_unreachable() {
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let refused = health(&address, &[]);
    assert_line(&refused, 2, "error: cannot reach the server at http://127.0.0.1:");
    let run = health(&address, &["--probe", "liveness", "--json"]);
    let record = &run.records()[0];
    assert_eq!((run.code, &record["reachable"]), (Some(2), &false.into()), "{run:?}");
    assert!(record["status"].is_null() && record["error"].is_string(), "{run:?}");
    assert_line(
        &health("unix:/nowhere/certimix.sock", &[]),
        2,
        "unix:/nowhere/certimix.sock",
    );
}

#[test]
fn a_silent_server_is_unreachable_at_the_deadline() {
    // The operating system accepts connections, and nothing reads them.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let run = Run::of(process::run(
        &["health", "--address", &address, "--deadline", "50ms"],
        &[],
    ));
    assert_line(&run, 2, "within 50ms");
}

#[test]
fn wrong_usage_is_not_a_status() {
    for arguments in [
        &["--address", "ftp://localhost"][..],
        &["--address", "https://localhost:1"],
        &["--address", "https://localhost:1", "--tls-ca", "/nowhere/ca.pem"],
        &["--token-file", "/nowhere/token"],
        &["--deadline", "soon"],
        &["--service", "", "--probe", "liveness"],
    ] {
        let run = Run::of(process::run(&[&["health"], arguments].concat(), &[]));
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:?}");
        assert!(run.stderr.contains("error: "), "{run:?}");
    }
}

#[test]
fn a_unix_socket_is_probed() {
    let setup = setup().text("server.unix_socket", "certimix.sock");
    let socket = setup.folder().join("certimix.sock");
    let server = ServerProcess::spawn(&setup.write());
    server.address();
    let address = format!("unix:{}", socket.display());
    assert_line(&health(&address, &[]), 0, ": SERVING");
}

#[test]
fn a_server_with_tls_client_certificates_and_tokens_is_probed() {
    let authority = CertificateAuthority::new();
    let setup = with_tls(setup(), &authority.sign(VALID_NOW));
    let path = |path: std::path::PathBuf| path.to_str().unwrap().to_owned();
    let ca = path(setup.file("ca.pem", authority.pem.as_bytes()));
    let other_ca = path(setup.file("other.pem", CertificateAuthority::new().pem.as_bytes()));
    let token = path(setup.file("token", b"0123456789abcdef0123456789abcdef\n"));
    let (certificate, key) = authority.sign(VALID_NOW).write(&setup, "client");
    let (certificate, key) = (path(certificate), path(key));
    let setup = setup
        .text("tls.client_ca", "ca.pem")
        .text("server.bearer_token_file", "token");
    let server = ServerProcess::spawn(&setup.write());
    let address = server.address();
    let https = format!("https://{address}");

    let identity = ["--tls-certificate", &certificate, "--tls-key", &key];
    let trusted = [&["--tls-ca", ca.as_str()][..], &identity].concat();
    assert_line(&health(&https, &trusted), 0, ": SERVING");
    assert_line(
        &health(
            &https,
            &[&trusted[..], &["--token-file", &token, "--probe", "liveness"]].concat(),
        ),
        0,
        ": SERVING",
    );
    // A probe whose command line is fixed takes all of it from the environment.
    let variables = [
        ("CERTIMIX_ADDRESS", https.as_str()),
        ("CERTIMIX_TLS_CA", &ca),
        ("CERTIMIX_TLS_NAME", "localhost"),
        ("CERTIMIX_TLS_CERTIFICATE", &certificate),
        ("CERTIMIX_TLS_KEY", &key),
        ("CERTIMIX_TOKEN_FILE", &token),
    ];
    let run = Run::of(process::run(&["health", "--deadline", DEADLINE], &variables));
    assert_line(&run, 0, ": SERVING");

    assert_line(&health(&https, &["--tls-ca", &ca]), 2, "error: ");
    assert_line(&health(&format!("http://{address}"), &[]), 2, "error: ");
    let untrusted = [&["--tls-ca", other_ca.as_str()][..], &identity].concat();
    assert_line(&health(&https, &untrusted), 2, "--tls-ca must be the authority");
    let wrong_name = [&trusted[..], &["--tls-name", "elsewhere"]].concat();
    assert_line(&health(&https, &wrong_name), 2, "--tls-name");
}
