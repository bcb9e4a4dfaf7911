//! The HTTP endpoint of the metrics: its port, its pages and the documentation of its families.

use std::net::TcpListener;
use std::time::Duration;

use super::scraped_server::{ScrapedServer, linear_setup, slow_setup};
use crate::support::editable_server::EditableServer;
use crate::support::messages::{CLEAR_INPUT, certify_with_votes, floats};
use crate::support::process::fails;
use crate::support::scrape::{Scrape, http_get, http_request};
use crate::support::tls_authority::{CertificateAuthority, VALID_NOW, with_tls};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_metrics_port_reports_not_ready_while_the_server_drains() {
    let mut server = ScrapedServer::start(slow_setup()).await;
    let metrics = server.metrics;
    assert_eq!(http_get(metrics, "/livez").0, 200);
    assert_eq!(http_get(metrics, "/readyz").0, 200);
    let (status, _, hint) = http_get(metrics, "/");
    assert!(status == 404 && hint.contains("/metrics"), "{hint}");
    assert_eq!(
        http_request(
            metrics,
            "POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\n"
        )
        .0,
        405
    );
    assert_eq!(http_get(metrics, "/metrics?name=certimix").0, 200);

    let endless = certify_with_votes(floats(&[CLEAR_INPUT]), 1_000_000);
    let mut stream = server.client.certify_stream(endless).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();
    server.process.signal("TERM");
    let draining = Scrape::poll_until(metrics, |found| found.value("certimix_serving") == 0.0);
    assert_eq!(draining.value(r#"certimix_admitted_rows{model="robust"}"#), 2.0);
    assert_eq!(
        (http_get(metrics, "/readyz").0, http_get(metrics, "/livez").0),
        (503, 200)
    );
    drop(stream);
    drop(server.client);
    drop(server.channel);
    assert!(server.process.wait().success());
    assert!(std::net::TcpStream::connect(metrics).is_err());
}

/// A connection that sends nothing or too much delays no other, and is closed.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn invalid_connections_delay_no_scrape() {
    let server = ScrapedServer::start(linear_setup()).await;
    let silent: Vec<_> = (0..8)
        .map(|_| std::net::TcpStream::connect(server.metrics).unwrap())
        .collect();
    let invalid = http_request(server.metrics, "nonsense\r\n\r\n");
    assert!(invalid.0 >= 400, "{invalid:?}");
    let long = format!(
        "GET /metrics HTTP/1.1\r\nHost: test\r\nX-Long: {}\r\n\r\n",
        "x".repeat(64 << 10)
    );
    let mut connection = std::net::TcpStream::connect(server.metrics).unwrap();
    connection.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    // The server may close the connection before all bytes are written.
    drop(std::io::Write::write_all(&mut connection, long.as_bytes()));
    server.scrape();
    drop(silent);
}

#[test]
fn an_address_in_use_is_reported_by_key() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let setup = linear_setup().text("metrics.listen", &address);
    let message = fails(&["serve", setup.write().to_str().unwrap()], &[]);
    for part in ["metrics.listen", &address, "\"\" for none"] {
        assert!(message.contains(part), "{message}");
    }
    let setup = linear_setup().text("metrics.listen", "here");
    let message = fails(&["serve", setup.write().to_str().unwrap()], &[]);
    assert!(message.contains("metrics.listen: expected an address"), "{message}");
}

/// `docs/reference/metrics.md` lists exactly the exported families with their types, including
/// those of TLS and of shadow candidates.
#[test]
fn the_documentation_lists_the_exported_metrics() {
    let setup = linear_setup().with("mixture.shadow_alphas", "[0.6]");
    let server = EditableServer::start(with_tls(setup, &CertificateAuthority::new().sign(VALID_NOW)));
    let exported = server.scrape().families;
    let text = include_str!("../../../docs/reference/metrics.md");
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let name = cells.next()?.trim_end_matches('`').to_owned();
        let ours = name.starts_with("certimix_") || name.starts_with("process_");
        ours.then_some((name, cells.next()?.to_owned()))
    };
    let documented: Vec<(String, String)> = text.lines().filter_map(row).collect();
    let mut sorted = documented.clone();
    sorted.sort();
    assert_eq!(sorted, exported.into_iter().collect::<Vec<_>>());
}
