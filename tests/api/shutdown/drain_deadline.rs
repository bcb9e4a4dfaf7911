//! Certifications that would take many minutes on the real binary: a server that stops answers them
//! with the votes drawn so far.

use certimix::rpc::proto::{CertificateStatus, Prediction, StopReason};
use tonic::Code;

use crate::support::Setup;
use crate::support::editable_server::EditableServer;
use crate::support::messages::{CLEAR_INPUT, certificate, certify_with_votes, floats, predict_request};
use crate::support::predict_stream::PredictStreamClient;
use crate::support::scrape::Scrape;

/// The votes take some minutes, and less than the maximum request time of an hour, beyond which the
/// server would refuse the request.
const VOTES: u64 = 30_000;

/// Starts a server for one request. Of two requests the first would draw all its votes before the
/// other.
fn start_server() -> EditableServer {
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

/// Waits until the server draws votes, and then sends SIGTERM.
fn stop_while_voting(server: &EditableServer) {
    let rows = r#"certimix_rows_total{model="robust"}"#;
    let before = server.scrape().value(rows);
    Scrape::poll_until(server.metrics, |found| found.value(rows) > before);
    server.process.signal("TERM");
}

/// Checks that the server exits with code 0 and aborts no request.
fn assert_clean_exit(mut server: EditableServer) {
    assert_eq!(server.process.wait().code(), Some(0));
    let lines = server.process.rest();
    assert!(!lines.iter().any(|line| line.contains("cut off")), "{lines:#?}");
}

fn assert_stopped_by_deadline(prediction: &Prediction) {
    let found = certificate(prediction);
    assert_eq!(found.stop_reason(), StopReason::Deadline, "{found:?}");
    assert!((1..VOTES).contains(&found.votes_drawn), "{found:?}");
    let proven = [CertificateStatus::Certified, CertificateStatus::Abstained];
    assert!(proven.contains(&found.status()), "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certify_returns_the_votes_drawn_so_far() {
    let server = start_server();
    let mut client = server.client().await;
    let call = tokio::spawn(async move { client.certify(certify_with_votes(floats(&[CLEAR_INPUT]), VOTES)).await });
    stop_while_voting(&server);
    let response = call.await.unwrap().expect("a response").into_inner();
    assert_stopped_by_deadline(&response.predictions[0]);
    assert_clean_exit(server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certify_stream_ends_with_a_final_message() {
    let server = start_server();
    let mut client = server.client().await;
    let request = certify_with_votes(floats(&[CLEAR_INPUT]), VOTES);
    let mut stream = client.certify_stream(request).await.unwrap().into_inner();
    let mut last = stream.message().await.unwrap().unwrap();
    assert!(!last.r#final);
    stop_while_voting(&server);
    while let Some(message) = stream.message().await.expect("the stream ends without an error") {
        last = message;
    }
    assert!(last.r#final);
    assert_stopped_by_deadline(last.prediction.as_ref().unwrap());
    assert_clean_exit(server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_predict_stream_answers_its_requests_before_it_ends() {
    let server = start_server();
    let mut stream = PredictStreamClient::open(server.client().await).await;
    stream.send(predict_request(floats(&[CLEAR_INPUT])));
    stop_while_voting(&server);
    assert_stopped_by_deadline(&stream.next_response().await.predictions[0]);
    assert_eq!(stream.end_status().await.code(), Code::Unavailable);
    assert_clean_exit(server);
}
