//! Certifications that would take hours, on the real binary: a server that stops answers them with the votes that they have.

use certimix::rpc::proto::{Certificate, CertificateStatus, Prediction, StopReason};
use tonic::Code;

use crate::support::Setup;
use crate::support::editor::Editor;
use crate::support::exchange::Exchange;
use crate::support::scrape::Scrape;
use crate::support::wire::{CLEAR, certificate, certify_with, floats, predict};

const ROWS: &str = r#"certimix_admitted_rows{model="robust"}"#;
const VOTES: u64 = 1_000_000;

fn cut_short(prediction: &Prediction) -> &Certificate {
    let found = certificate(prediction);
    assert_eq!(found.stop_reason(), StopReason::Deadline, "{found:?}");
    assert!((1..VOTES).contains(&found.votes_drawn), "{found:?}");
    let proven = [CertificateStatus::Certified, CertificateStatus::Abstained];
    assert!(proven.contains(&found.status()), "{found:?}");
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hours_of_votes_are_answered_with_those_that_there_are() {
    let setup = Setup::pair("linear_g", "slow_smoothed")
        .batch_size(1)
        .with("certificate.max_votes", VOTES)
        .with("certificate.predict_votes", VOTES)
        .with("certificate.predict_target_radius", 0)
        .with("certificate.selection_votes", 1)
        .text("server.max_request_time", "1h")
        .text("server.drain_timeout", "6s");
    let mut editor = Editor::start(setup);
    let mut client = editor.client().await;
    let mut stream = client
        .certify_stream(certify_with(floats(&[CLEAR]), VOTES))
        .await
        .unwrap()
        .into_inner();
    let first = stream.message().await.unwrap().unwrap();
    assert!(!first.r#final);
    let admitted = editor.scrape().value(ROWS);
    assert!(admitted > 0.0);
    let unary = tokio::spawn(async move { client.certify(certify_with(floats(&[CLEAR]), VOTES)).await });
    let more = Scrape::until(editor.metrics, |found| found.value(ROWS) > admitted).value(ROWS);
    let mut exchange = Exchange::open(editor.client().await).await;
    exchange.ask(predict(floats(&[CLEAR])));
    Scrape::until(editor.metrics, |found| found.value(ROWS) > more);

    editor.served.signal("TERM");
    let answer = unary.await.unwrap().unwrap().into_inner();
    cut_short(&answer.predictions[0]);
    let mut last = first;
    while let Some(message) = stream.message().await.unwrap() {
        last = message;
    }
    assert!(last.r#final);
    cut_short(last.prediction.as_ref().unwrap());
    cut_short(&exchange.response().await.predictions[0]);
    assert_eq!(exchange.end().await.code(), Code::Unavailable);
    assert_eq!(editor.served.wait().code(), Some(0));
    let lines = editor.served.rest();
    assert!(!lines.iter().any(|line| line.contains("cut off")), "{lines:#?}");
}
