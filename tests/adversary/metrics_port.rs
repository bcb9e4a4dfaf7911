//! Attacks on the metrics port. A kubelet ends a server whose probes fail, so each probe is answered.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::peers::{SilentConnections, connect_from, host};
use crate::support::Setup;
use crate::support::editable_server::EditableServer;
use crate::support::scrape::Scrape;

/// More connections than the port has slots.
const CONNECTIONS: usize = 600;
const ATTACKERS: u16 = 100;

fn setup() -> Setup {
    Setup::pair("linear_g", "linear_h")
}

/// Probes from a new address and from one of the attackers, as a kubelet behind a proxy.
async fn assert_probes_are_answered(metrics: SocketAddr, count: u16) {
    for number in 1..=count {
        for host in [host(number), host(ATTACKERS)] {
            for path in ["/livez", "/readyz"] {
                let mut connection = connect_from(host, metrics).await.unwrap();
                let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n");
                connection.write_all(request.as_bytes()).await.unwrap();
                let mut response = String::new();
                connection.read_to_string(&mut response).await.unwrap();
                assert!(response.starts_with("HTTP/1.1 200"), "{path} from {host}: {response}");
            }
        }
    }
}

fn evicted(scrape: &Scrape) -> f64 {
    scrape.value("certimix_metrics_connection_evictions_total")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probes_are_answered_beside_connections_that_fill_the_port() {
    let server = EditableServer::start(setup());
    let metrics = server.metrics;
    let attacks: [(&str, &'static [u8]); 4] = [
        ("silence", b""),
        ("half of the headers", b"GET /metrics HTTP/1.1\r\nHost: te"),
        (
            "a page that is not read",
            b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n",
        ),
        (
            "a body that does not come",
            b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\n",
        ),
    ];
    for (name, bytes) in attacks {
        for hosts in [1, 20] {
            let open = move || SilentConnections::open(metrics, CONNECTIONS, ATTACKERS, hosts, bytes);
            let attack = tokio::task::spawn_blocking(open).await.unwrap();
            assert_probes_are_answered(metrics, 5).await;
            tokio::task::spawn_blocking(move || drop(attack)).await.unwrap();
            eprintln!("{name} from {hosts}: probes are answered");
        }
    }
    // A scrape is no probe: beside what is left of an attack it may lose its slot.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert!(evicted(&server.scrape()) > 0.0);
}

/// Silent connections end by themselves, long before a scraper would give up.
#[test]
fn silent_connections_to_the_metrics_port_are_closed() {
    let server = EditableServer::start(setup());
    SilentConnections::open(server.metrics, 20, ATTACKERS, 1, b"").wait_until_closed();
    SilentConnections::open(server.metrics, 20, ATTACKERS, 1, b"GET /").wait_until_closed();
    assert_eq!(evicted(&server.scrape()), 0.0);
}

/// The gRPC port holds every file descriptor that the process may open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probes_are_answered_without_a_free_file_descriptor() {
    let server = EditableServer::start(setup());
    let (address, metrics) = (server.address, server.metrics);
    server.process.limit_files(20);
    let open = move || SilentConnections::open(address, 40, ATTACKERS, 20, b"");
    let attack = tokio::task::spawn_blocking(open).await.unwrap();
    server.process.line_with("Too many open files");
    assert_probes_are_answered(metrics, 10).await;
    tokio::task::spawn_blocking(move || drop(attack)).await.unwrap();
}
