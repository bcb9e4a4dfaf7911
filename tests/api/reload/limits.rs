//! A reload of the real binary changes limits, certificate settings and the log filter. Limits on
//! requests hold on open connections.

use certimix::rpc::proto::{Certificate, StopReason};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use crate::support::Setup;
use crate::support::editable_server::EditableServer;
use crate::support::messages::{CLEAR_INPUT, certificate, certify_with_votes, floats, predict_request};
use crate::support::partial_request::post_partial_message;
use crate::support::scrape::Scrape;
use crate::support::server::{Client, TEST_TIMEOUT};

fn linear_setup() -> Setup {
    Setup::pair("linear_g", "linear_h")
}

async fn predict(client: &mut Client, inputs: usize) -> Result<(), Status> {
    let request = predict_request(floats(&vec![CLEAR_INPUT; inputs]));
    client.predict(request).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_request_limits_hold_on_open_connections() {
    let server = EditableServer::start(
        linear_setup()
            .with("server.max_inputs", 2)
            .with("server.max_message_bytes", 2048),
    );
    let mut client = server.client().await;
    predict(&mut client, 2).await.unwrap();
    assert_eq!(predict(&mut client, 3).await.unwrap_err().code(), Code::InvalidArgument);
    server.set("server.max_inputs", 400);
    predict(&mut client, 3).await.unwrap();
    // The request has 300 inputs of 16 bytes.
    let large = predict(&mut client, 300).await.unwrap_err();
    assert_eq!(large.code(), Code::ResourceExhausted, "{large:?}");
    server.set("server.max_message_bytes", 1 << 20);
    predict(&mut client, 300).await.unwrap();
    server.set("server.max_message_bytes", 2048);
    assert_eq!(
        predict(&mut client, 300).await.unwrap_err().code(),
        Code::ResourceExhausted
    );
    assert_eq!(
        server
            .scrape()
            .value("certimix_connections_total{outcome=\"accepted\"}"),
        1.0
    );
}

/// The time limit holds for a handler, and for a request that never arrives completely.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_maximum_request_time_holds_on_open_connections() {
    let server = EditableServer::start(
        Setup::pair("linear_g", "slow_smoothed")
            .batch_size(1)
            .text("server.max_request_time", "1h")
            .with("certificate.max_votes", 1_000_000),
    );
    let mut channel = server.channel().await;
    let mut client = Client::new(channel.clone());
    predict(&mut client, 1).await.unwrap();
    server.set_text("server.max_request_time", "1500ms");
    // All votes would take hours. The response has those of 1.5 s.
    let response = client
        .certify(certify_with_votes(floats(&[CLEAR_INPUT]), 1_000_000))
        .await
        .unwrap();
    let response = response.into_inner().predictions.remove(0);
    assert_eq!(certificate(&response).stop_reason(), StopReason::Deadline);
    let late = post_partial_message(&mut channel, "Predict", None).await;
    let late = Status::from_header_map(late.headers()).expect("a status in the headers");
    assert_eq!(late.code(), Code::DeadlineExceeded, "{late:?}");
    assert!(late.message().contains("did not come whole"), "{late:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_connection_limit_closes_no_connection() {
    let server = EditableServer::start(linear_setup().with("server.max_connections", 3));
    let try_connect = async || {
        let endpoint = Endpoint::from_shared(format!("http://{}", server.address)).unwrap();
        let channel: Result<Channel, _> = endpoint.timeout(TEST_TIMEOUT).connect().await;
        let Ok(channel) = channel else { return None };
        let mut client = Client::new(channel);
        predict(&mut client, 1).await.is_ok().then_some(client)
    };
    let mut open = [
        try_connect().await.unwrap(),
        try_connect().await.unwrap(),
        try_connect().await.unwrap(),
    ];
    server.set("server.max_connections", 1);
    for client in &mut open {
        predict(client, 1).await.unwrap();
    }
    let found = server.scrape();
    for (series, expected) in [
        (r#"certimix_connections_total{outcome="accepted"}"#, 3.0),
        ("certimix_connections_open", 3.0),
    ] {
        assert_eq!(found.value(series), expected, "{series}");
    }
    // A new connection takes the place of an idle one.
    let fourth = try_connect().await;
    assert!(fourth.is_some());
    let evicted = r#"certimix_connection_evictions_total{reason="idle"}"#;
    Scrape::poll_until(server.metrics, |found| found.value(evicted) >= 1.0);
    drop((open, fourth));
    Scrape::poll_until(server.metrics, |found| found.value("certimix_connections_open") == 0.0);
    assert!(try_connect().await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_follow_new_settings() {
    let server = EditableServer::start(
        Setup::pair("steep_g", "half_space")
            .batch_size(64)
            .with("certificate.predict_votes", 100)
            .with("certificate.predict_target_radius", 0),
    );
    let mut client = server.client().await;
    let mut next_certificate = async || -> Certificate {
        let response = client.predict(predict_request(floats(&[[0.25; 4]]))).await.unwrap();
        certificate(&response.into_inner().predictions[0]).clone()
    };
    let drawn = |found: &Certificate| found.votes_drawn - found.selection_votes;
    let first = next_certificate().await;
    assert_eq!((drawn(&first), first.stop_reason()), (100, StopReason::VoteBudget));
    server.set("certificate.predict_votes", 300);
    assert_eq!(drawn(&next_certificate().await), 300);
    server.set("certificate.failure_probability", 0.125);
    let riskier = next_certificate().await;
    assert_ne!(first.failure_probability, 0.125);
    assert_eq!(riskier.failure_probability, 0.125);
    server.set("certificate.predict_target_radius", 0.01);
    let with_target = next_certificate().await;
    assert_eq!(with_target.stop_reason(), StopReason::TargetReached);
    assert!(
        (with_target.target_radius - with_target.snapping_loss - 0.01).abs() < 1e-9,
        "{with_target:?}"
    );
    assert!(drawn(&with_target) < 300, "{with_target:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_filter_changes_and_changes_back() {
    let mut server = EditableServer::start(linear_setup());
    let mut client = server.client().await;
    let mut predict_with_id = async |name: &str| {
        let mut request = Request::new(predict_request(floats(&[CLEAR_INPUT])));
        request.metadata_mut().insert("x-request-id", name.parse().unwrap());
        client.predict(request).await.unwrap();
    };
    predict_with_id("before-all").await;
    server.set_text("log.filter", "info,certimix::request=debug");
    predict_with_id("in-between").await;
    server.set_text("log.filter", "info");
    predict_with_id("after-all").await;
    drop(client);
    server.process.signal("TERM");
    assert!(server.process.wait().success());
    let lines = server.process.rest();
    let line_count = |name: &str| lines.iter().filter(|line| line.contains(name)).count();
    assert_eq!(
        (
            line_count("before-all"),
            line_count("in-between"),
            line_count("after-all")
        ),
        (0, 1, 0),
        "{lines:#?}"
    );
}

/// The memory of requests follows the settings, for requests on open connections too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_of_requests_follows_new_settings() {
    const LIMIT: &str = "certimix_request_memory_limit_bytes";
    let setup = Setup::pair("linear_g", "linear_h").with("server.request_memory_bytes", 80 << 20);
    let server = EditableServer::start(setup);
    let mut client = server.client().await;
    predict(&mut client, 1).await.unwrap();
    assert_eq!(server.scrape().value(LIMIT), f64::from(80 << 20));
    server.set("server.request_memory_bytes", 96 << 20);
    Scrape::poll_until(server.metrics, |found| found.value(LIMIT) == f64::from(96 << 20));
    predict(&mut client, 1).await.unwrap();
}
