//! Certifications that would take many minutes, on the real binary: a server that stops answers them with the votes that they have.

use certimix::rpc::proto::{CertificateStatus, Prediction, StopReason};
use tonic::Code;

use crate::support::Setup;
use crate::support::editable_server::EditableServer;
use crate::support::messages::{CLEAR_INPUT, certificate, certify_with_votes, floats, predict_request};
use crate::support::predict_stream::PredictStreamClient;
use crate::support::scrape::Scrape;

/// Some minutes, and less than the hour that a request may take: who could not be in time is not let in.
const VOTES: u64 = 30_000;

/// One request a server: of two, the one that came first draws before the other.
fn server() -> EditableServer {
    let setup = Setup::pair("linear_g", "slow_smoothed")
        .batch_size(1)
        .with("certificate.max_votes", VOTES)
        .with("certificate.predict_votes", VOTES)
        .with("certificate.predict_target_radius", 0)
        .with("certificate.selection_votes", 1)
        .text("server.max_request_time", "1h")
        .text("server.drain_timeout", "6s");
    EditableServer::start(setup)
}

/// Waits until votes are drawn, and tells the server to stop.
fn stop(server: &EditableServer) {
    let rows = r#"certimix_rows_total{model="robust"}"#;
    let before = server.scrape().value(rows);
    Scrape::poll_until(server.metrics, |found| found.value(rows) > before);
    server.process.signal("TERM");
}

/// Nothing was cut off.
fn assert_ends_well(mut server: EditableServer) {
    assert_eq!(server.process.wait().code(), Some(0));
    let lines = server.process.rest();
    assert!(!lines.iter().any(|line| line.contains("cut off")), "{lines:#?}");
}

fn assert_cut_short(prediction: &Prediction) {
    let found = certificate(prediction);
    assert_eq!(found.stop_reason(), StopReason::Deadline, "{found:?}");
    assert!((1..VOTES).contains(&found.votes_drawn), "{found:?}");
    let proven = [CertificateStatus::Certified, CertificateStatus::Abstained];
    assert!(proven.contains(&found.status()), "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certify_is_answered_with_the_votes_that_there_are() {
    let server = server();
    let mut client = server.client().await;
    let asked = tokio::spawn(async move { client.certify(certify_with_votes(floats(&[CLEAR_INPUT]), VOTES)).await });
    stop(&server);
    let answer = asked.await.unwrap().expect("it is answered").into_inner();
    assert_cut_short(&answer.predictions[0]);
    assert_ends_well(server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certify_stream_ends_with_a_final_message() {
    let server = server();
    let mut client = server.client().await;
    let order = certify_with_votes(floats(&[CLEAR_INPUT]), VOTES);
    let mut stream = client.certify_stream(order).await.unwrap().into_inner();
    let mut last = stream.message().await.unwrap().unwrap();
    assert!(!last.r#final);
    stop(&server);
    while let Some(message) = stream.message().await.expect("it ends well") {
        last = message;
    }
    assert!(last.r#final);
    assert_cut_short(last.prediction.as_ref().unwrap());
    assert_ends_well(server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_predict_stream_has_asked_is_answered_before_it_ends() {
    let server = server();
    let mut stream = PredictStreamClient::open(server.client().await).await;
    stream.send(predict_request(floats(&[CLEAR_INPUT])));
    stop(&server);
    assert_cut_short(&stream.next_response().await.predictions[0]);
    assert_eq!(stream.end_status().await.code(), Code::Unavailable);
    assert_ends_well(server);
}
