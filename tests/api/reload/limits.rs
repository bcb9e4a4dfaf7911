//! Limits, certificates and the log's filter by reload, on the real binary: in force without a restart, and on connections that are
//! open where they are about requests.

use certimix::rpc::proto::{Certificate, StopReason};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use crate::support::Setup;
use crate::support::editable_server::EditableServer;
use crate::support::messages::{CLEAR_INPUT, certificate, certify_with_votes, floats, predict_request};
use crate::support::partial_request::post_partial_message;
use crate::support::scrape::Scrape;
use crate::support::server::{Client, TEST_TIMEOUT};

fn linear() -> Setup {
    Setup::pair("linear_g", "linear_h")
}

async fn ask(client: &mut Client, inputs: usize) -> Result<(), Status> {
    let asked = predict_request(floats(&vec![CLEAR_INPUT; inputs]));
    client.predict(asked).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_on_requests_hold_on_open_connections() {
    let server = EditableServer::start(
        linear()
            .with("server.max_inputs", 2)
            .with("server.max_message_bytes", 2048),
    );
    let mut client = server.client().await;
    ask(&mut client, 2).await.unwrap();
    assert_eq!(ask(&mut client, 3).await.unwrap_err().code(), Code::InvalidArgument);
    server.set("server.max_inputs", 400);
    ask(&mut client, 3).await.unwrap();
    // 300 inputs of 16 bytes.
    let large = ask(&mut client, 300).await.unwrap_err();
    assert_eq!(large.code(), Code::ResourceExhausted, "{large:?}");
    server.set("server.max_message_bytes", 1 << 20);
    ask(&mut client, 300).await.unwrap();
    server.set("server.max_message_bytes", 2048);
    assert_eq!(ask(&mut client, 300).await.unwrap_err().code(), Code::ResourceExhausted);
    assert_eq!(
        server
            .scrape()
            .value("certimix_connections_total{outcome=\"accepted\"}"),
        1.0
    );
}

/// For what a handler does, and for a request that never comes whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_longest_time_of_a_request_holds_on_open_connections() {
    let server = EditableServer::start(
        Setup::pair("linear_g", "slow_smoothed")
            .batch_size(1)
            .text("server.max_request_time", "1h")
            .with("certificate.max_votes", 1_000_000),
    );
    let mut channel = server.channel().await;
    let mut client = Client::new(channel.clone());
    ask(&mut client, 1).await.unwrap();
    server.set_text("server.max_request_time", "300ms");
    // Hours of votes: it is answered with those of 300 ms.
    let answer = client
        .certify(certify_with_votes(floats(&[CLEAR_INPUT]), 1_000_000))
        .await
        .unwrap();
    let answer = answer.into_inner().predictions.remove(0);
    assert_eq!(certificate(&answer).stop_reason(), StopReason::Deadline);
    let late = post_partial_message(&mut channel, "Predict", None).await;
    let late = Status::from_header_map(late.headers()).expect("a status in the headers");
    assert_eq!(late.code(), Code::DeadlineExceeded, "{late:?}");
    assert!(late.message().contains("did not come whole"), "{late:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_most_connections_change_and_close_nobody() {
    let server = EditableServer::start(linear().with("server.max_connections", 2));
    let is_let_in = async || {
        let endpoint = Endpoint::from_shared(format!("http://{}", server.address)).unwrap();
        let channel: Result<Channel, _> = endpoint.timeout(TEST_TIMEOUT).connect().await;
        let Ok(channel) = channel else { return None };
        let mut client = Client::new(channel);
        ask(&mut client, 1).await.is_ok().then_some(client)
    };
    let mut open = [is_let_in().await.unwrap(), is_let_in().await.unwrap()];
    assert!(is_let_in().await.is_none());
    server.set("server.max_connections", 3);
    let third = is_let_in().await;
    assert!(third.is_some() && is_let_in().await.is_none());
    server.set("server.max_connections", 1);
    for client in &mut open {
        ask(client, 1).await.unwrap();
    }
    assert!(is_let_in().await.is_none());
    let found = server.scrape();
    for (series, expected) in [
        (r#"certimix_connections_total{outcome="accepted"}"#, 3.0),
        ("certimix_connections_open", 3.0),
    ] {
        assert_eq!(found.value(series), expected, "{series}");
    }
    // Until one of those who were there has room.
    let [first, second] = open;
    drop((second, third));
    Scrape::poll_until(server.metrics, |found| found.value("certimix_connections_open") == 1.0);
    assert!(is_let_in().await.is_none());
    drop(first);
    Scrape::poll_until(server.metrics, |found| found.value("certimix_connections_open") == 0.0);
    assert!(is_let_in().await.is_some());
    // A client may try again by itself.
    assert!(found.value(r#"certimix_connections_total{outcome="refused"}"#) >= 3.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_follow_their_settings() {
    let server = EditableServer::start(
        Setup::pair("steep_g", "half_space")
            .batch_size(64)
            .with("certificate.predict_votes", 100)
            .with("certificate.predict_target_radius", 0),
    );
    let mut client = server.client().await;
    let mut certified = async || -> Certificate {
        let answer = client.predict(predict_request(floats(&[[0.25; 4]]))).await.unwrap();
        certificate(&answer.into_inner().predictions[0]).clone()
    };
    let drawn = |found: &Certificate| found.votes_drawn - found.selection_votes;
    let first = certified().await;
    assert_eq!((drawn(&first), first.stop_reason()), (100, StopReason::VoteBudget));
    server.set("certificate.predict_votes", 300);
    assert_eq!(drawn(&certified().await), 300);
    server.set("certificate.failure_probability", 0.125);
    let surer = certified().await;
    assert_ne!(first.failure_probability, 0.125);
    assert_eq!(surer.failure_probability, 0.125);
    server.set("certificate.predict_target_radius", 0.01);
    let aimed = certified().await;
    assert_eq!(aimed.stop_reason(), StopReason::TargetReached);
    assert!(
        (aimed.target_radius - aimed.snapping_loss - 0.01).abs() < 1e-9,
        "{aimed:?}"
    );
    assert!(drawn(&aimed) < 300, "{aimed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_filter_of_the_log_changes_and_changes_back() {
    let mut server = EditableServer::start(linear());
    let mut client = server.client().await;
    let mut named = async |name: &str| {
        let mut request = Request::new(predict_request(floats(&[CLEAR_INPUT])));
        request.metadata_mut().insert("x-request-id", name.parse().unwrap());
        client.predict(request).await.unwrap();
    };
    named("before-all").await;
    server.set_text("log.filter", "info,certimix::request=debug");
    named("in-between").await;
    server.set_text("log.filter", "info");
    named("after-all").await;
    drop(client);
    server.process.signal("TERM");
    assert!(server.process.wait().success());
    let lines = server.process.rest();
    let told = |name: &str| lines.iter().filter(|line| line.contains(name)).count();
    assert_eq!(
        (told("before-all"), told("in-between"), told("after-all")),
        (0, 1, 0),
        "{lines:#?}"
    );
}
