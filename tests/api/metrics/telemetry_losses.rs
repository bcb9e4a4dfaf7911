//! Metrics count the spans and the log lines that were lost.

use std::net::TcpListener;
use std::time::Instant;

use crate::support::Setup;
use crate::support::editable_server::EditableServer;
use crate::support::messages::{CLEAR_INPUT, floats, predict_request};
use crate::support::predict_stream::PredictStreamClient;
use crate::support::process::UnreadServerProcess;
use crate::support::scrape::Scrape;
use crate::support::server::{TEST_TIMEOUT, connect};

/// No process listens on the port of the collector.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_spans_are_counted() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", port.local_addr().unwrap());
    drop(port);
    let setup = Setup::pair("linear_g", "linear_h")
        .text("traces.endpoint", &endpoint)
        .with("traces.sample_ratio", 1.0);
    let server = EditableServer::start(setup);
    let lost = |found: &Scrape| found.value("certimix_trace_spans_lost_total");
    assert_eq!(lost(&server.scrape()), 0.0);
    server
        .client()
        .await
        .predict(predict_request(floats(&[CLEAR_INPUT])))
        .await
        .unwrap();
    // The lost spans are a request and its four stages.
    Scrape::poll_until(server.metrics, |found| lost(found) == 5.0);
}

/// Each request writes a log line, and the test reads none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_log_lines_are_counted() {
    let setup = Setup::pair("linear_g", "linear_h")
        .text("log.filter", "debug")
        .text("metrics.listen", "127.0.0.1:0");
    let (_unread, ready, lines) = UnreadServerProcess::start(&setup.write(), "certimix is ready on ");
    let after = |text: &str| {
        let (_, rest) = ready.split_once(text).unwrap();
        rest.split([',', ' ', '\n']).next().unwrap().to_owned()
    };
    let metrics = after("metrics on ").parse().unwrap();
    let lost = |found: &Scrape| found.value("certimix_log_lines_dropped_total");
    assert_eq!(lost(&Scrape::fetch(metrics)), 0.0);
    let client = connect(format!("http://{}", after("certimix is ready on "))).await;
    let mut stream = PredictStreamClient::open(client).await;
    let began = Instant::now();
    while lost(&Scrape::fetch(metrics)) == 0.0 {
        assert!(began.elapsed() < TEST_TIMEOUT, "no line was lost");
        (0..500).for_each(|_| stream.send(predict_request(floats(&[CLEAR_INPUT]))));
        for _ in 0..500 {
            stream.next_response().await;
        }
    }
    drop(lines);
}
