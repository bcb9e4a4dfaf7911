//! A smoothed model whose votes take 20 ms: streams that grow, deadlines and refusals.

use std::time::Duration;

use certimix_client::{CertifyOptions, Error, ErrorKind, Norm, Requirement, StopReason};

use crate::support::inputs::{PATIENCE, clear_input, patient};
use crate::support::server_process::{SLOW_VOTES, ServerProcess};

#[tokio::test]
async fn the_radius_of_a_stream_grows() {
    let server = ServerProcess::start(&SLOW_VOTES);
    let client = patient(&server.unix()).connect().await.unwrap();
    let options = CertifyOptions::default().votes(8);
    let mut stream = client.certify_stream(&clear_input(), &options).await.unwrap();
    let mut answers = Vec::new();
    while let Some(answer) = stream.next().await.unwrap() {
        answers.push(answer);
    }
    let radii: Vec<f64> = answers.iter().map(|answer| answer.certificate().radius).collect();
    assert!(radii.len() > 1 && radii.is_sorted(), "{radii:?}");
    let (last, earlier) = answers.split_last().unwrap();
    assert!(
        earlier
            .iter()
            .all(|answer| !answer.is_final() && answer.timings().is_none())
    );
    assert!(last.is_final() && last.timings().is_some());
    assert!(
        last.certified_class(&Requirement::beyond(0.0, Norm::L2).require_proven())
            .is_ok()
    );
    assert_eq!(last.certificate().votes_drawn, 9);
}

#[tokio::test]
async fn a_deadline_cuts_votes_short() {
    // The server's own limit is the deadline here: the client's would depend on the load of the machine.
    let mut settings = SLOW_VOTES.to_vec();
    settings.push(("server.max_request_time", "\"2s\""));
    let server = ServerProcess::start(&settings);
    let client = patient(&server.unix()).connect().await.unwrap();
    let options = CertifyOptions::default().votes(1_000_000).deadline(PATIENCE);
    let answer = client.certify(&clear_input(), &options).await.unwrap();
    assert_eq!(answer.certificate().stop_reason, StopReason::Deadline);
    assert_eq!(answer.timings().unwrap().deadline, PATIENCE);
}

#[tokio::test]
async fn a_deadline_that_no_server_can_meet_is_an_error() {
    let server = ServerProcess::start(&SLOW_VOTES);
    let client = patient(&server.unix()).connect().await.unwrap();
    let hasty = client.with_deadline(Duration::from_millis(2));
    for error in [
        hasty.predict(&clear_input()).await.unwrap_err(),
        hasty.predict_stream().predict(&clear_input()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::DeadlineExceeded, "{error}");
    }
}

#[tokio::test]
async fn a_refusal_that_the_deadline_cannot_bear_is_reported_at_once() {
    let server = ServerProcess::start(&SLOW_VOTES);
    let client = patient(&server.unix()).connect().await.unwrap();
    let long = CertifyOptions::default().votes(1_000_000).deadline(10 * PATIENCE);
    let mut first = client.certify_stream(&clear_input(), &long).await.unwrap();
    assert!(first.next().await.unwrap().is_some());
    // The server asks for more seconds than the deadline has.
    let options = long.deadline(Duration::from_secs(3));
    let check = |error: Error| {
        assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{error}");
        assert!(error.retry_after().is_some_and(|wait| !wait.is_zero()), "{error}");
        assert!(error.to_string().starts_with("RESOURCE_EXHAUSTED: "), "{error}");
    };
    check(client.certify(&clear_input(), &options).await.unwrap_err());
    check(client.certify_stream(&clear_input(), &options).await.unwrap_err());
    drop(first);
}
