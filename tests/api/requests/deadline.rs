//! Deadlines: an answer with what is proven so far, shortly before; DEADLINE_EXCEEDED only if there is nothing.

use std::time::{Duration, Instant};

use certimix::rpc::proto::{CertificateStatus, StopReason};
use tonic::{Code, Request};

use crate::support::messages::{CLEAR_INPUT, certificate, certify_with_votes, floats};
use crate::support::{Setup, TestServer, messages, recompute};

/// A vote takes some 20 ms of a core: a million take hours.
fn slow(robust: &str) -> Setup {
    Setup::pair("linear_g", robust)
        .batch_size(1)
        .with("certificate.selection_votes", 2)
        .with("certificate.max_votes", 1_000_000)
        .with("certificate.failure_probability", 0.4)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_callers_deadline_brings_the_certificate_so_far() {
    let server = TestServer::start(slow("slow_smoothed")).await;
    let mut client = server.client().await;
    let mut late = Vec::new();
    // The answer leaves 20 ms before the deadline; on a busy machine one may come too late all the same.
    for _ in 0..6 {
        let timeout = Duration::from_secs(2);
        let mut request = Request::new(certify_with_votes(floats(&[CLEAR_INPUT]), 1_000_000));
        request.set_timeout(timeout);
        let start = Instant::now();
        match client.certify(request).await {
            Ok(answer) => {
                assert!(start.elapsed() <= timeout + Duration::from_millis(500));
                let answer = answer.into_inner();
                let found = certificate(&answer.predictions[0]);
                assert_eq!(found.stop_reason(), StopReason::Deadline, "{found:?}");
                assert!(found.votes > 0 && found.votes < 1_000_000, "{found:?}");
                recompute::assert_certificate(found, 0.76);
                return;
            }
            Err(status) => late.push(status),
        }
    }
    panic!("never in time: {late:?}");
}

/// Without a deadline of its caller's, a request has the operator's.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_operators_deadline_holds_without_one_of_the_callers() {
    let server = TestServer::start(slow("slow_smoothed").text("server.max_request_time", "1500ms")).await;
    let answer = server
        .client()
        .await
        .certify(certify_with_votes(floats(&[CLEAR_INPUT]), 1_000_000))
        .await
        .unwrap()
        .into_inner();
    let found = certificate(&answer.predictions[0]);
    assert_eq!(found.stop_reason(), StopReason::Deadline, "{found:?}");
    assert_ne!(found.status(), CertificateStatus::Unavailable);
    recompute::assert_certificate(found, 0.76);
}

/// The time is shared out: the last inputs of a batch get votes too.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_deadline_is_shared_by_the_inputs_of_a_batch() {
    let server = TestServer::start(slow("slow_smoothed").text("server.max_request_time", "4s")).await;
    let request = certify_with_votes(floats(&[CLEAR_INPUT; 6]), 1_000_000);
    let answer = server.client().await.certify(request).await.unwrap().into_inner();
    assert_eq!(answer.predictions.len(), 6);
    for prediction in &answer.predictions {
        let found = certificate(prediction);
        assert_eq!(found.stop_reason(), StopReason::Deadline, "{found:?}");
        assert!(found.votes > 0, "{found:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nothing_in_time_is_deadline_exceeded() {
    for robust in ["slow_h", "slow_smoothed"] {
        let server = TestServer::start(slow(robust).text("server.max_request_time", "1ms")).await;
        let mut client = server.client().await;
        let status = client
            .predict(messages::predict_request(floats(&[[0.5; 4]; 8])))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
        let status = client
            .certify(certify_with_votes(floats(&[CLEAR_INPUT]), 100))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    }
}

/// Too late for the class to be chosen: an abstention that says so, with the mixture's best guess.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_deadline_during_the_selection_is_an_abstention() {
    let setup = slow("slow_smoothed")
        .with("certificate.selection_votes", 100_000)
        .text("server.max_request_time", "1s");
    let server = TestServer::start(setup).await;
    let answer = server
        .client()
        .await
        .certify(certify_with_votes(floats(&[CLEAR_INPUT]), 10))
        .await
        .unwrap()
        .into_inner();
    let found = certificate(&answer.predictions[0]);
    assert_eq!(
        (found.status(), found.stop_reason()),
        (CertificateStatus::Abstained, StopReason::Deadline)
    );
    assert!(found.reason.contains("selection votes"), "{}", found.reason);
}
