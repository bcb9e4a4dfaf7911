//! Shortly before its deadline a request gets the certificate that is proven so far. It gets
//! DEADLINE_EXCEEDED only if there is none.

use std::time::{Duration, Instant};

use certimix::rpc::proto::{CertificateStatus, StopReason};
use tonic::{Code, Request};

use crate::support::messages::{CLEAR_INPUT, certificate, certify_with_votes, floats};
use crate::support::{Setup, TestServer, messages, recompute};

/// Settings where a vote takes about 20 ms of a core, so that a million votes take hours.
fn slow_setup(robust: &str) -> Setup {
    Setup::pair("linear_g", robust)
        .batch_size(1)
        .with("certificate.selection_votes", 2)
        .with("certificate.max_votes", 1_000_000)
        .with("certificate.failure_probability", 0.4)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_callers_deadline_returns_the_certificate_so_far() {
    let server = TestServer::start(slow_setup("slow_smoothed")).await;
    let mut client = server.client().await;
    let mut late = Vec::new();
    // The response is sent 20 ms before the deadline. On a busy machine it may still arrive too
    // late.
    for _ in 0..6 {
        let timeout = Duration::from_secs(2);
        let mut request = Request::new(certify_with_votes(floats(&[CLEAR_INPUT]), 1_000_000));
        request.set_timeout(timeout);
        let start = Instant::now();
        match client.certify(request).await {
            Ok(response) => {
                assert!(start.elapsed() <= timeout + Duration::from_millis(500));
                let response = response.into_inner();
                let found = certificate(&response.predictions[0]);
                assert_eq!(found.stop_reason(), StopReason::Deadline, "{found:?}");
                assert!(found.votes > 0 && found.votes < 1_000_000, "{found:?}");
                recompute::assert_certificate(found, 0.76);
                return;
            }
            Err(status) => late.push(status),
        }
    }
    panic!("every response was late: {late:?}");
}

/// A request without a deadline has that of the operator.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_operators_deadline_holds_without_a_callers_deadline() {
    let server = TestServer::start(slow_setup("slow_smoothed").text("server.max_request_time", "1500ms")).await;
    let response = server
        .client()
        .await
        .certify(certify_with_votes(floats(&[CLEAR_INPUT]), 1_000_000))
        .await
        .unwrap()
        .into_inner();
    let found = certificate(&response.predictions[0]);
    assert_eq!(found.stop_reason(), StopReason::Deadline, "{found:?}");
    assert_ne!(found.status(), CertificateStatus::Unavailable);
    recompute::assert_certificate(found, 0.76);
}

/// The inputs of a batch share the time, so the last ones get votes too.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_inputs_of_a_batch_share_the_deadline() {
    let server = TestServer::start(slow_setup("slow_smoothed").text("server.max_request_time", "4s")).await;
    let request = certify_with_votes(floats(&[CLEAR_INPUT; 6]), 1_000_000);
    let response = server.client().await.certify(request).await.unwrap().into_inner();
    assert_eq!(response.predictions.len(), 6);
    for prediction in &response.predictions {
        let found = certificate(prediction);
        assert_eq!(found.stop_reason(), StopReason::Deadline, "{found:?}");
        assert!(found.votes > 0, "{found:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn no_result_in_time_is_deadline_exceeded() {
    for robust in ["slow_h", "slow_smoothed"] {
        let server = TestServer::start(slow_setup(robust).text("server.max_request_time", "1ms")).await;
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

/// Votes that end during the selection prove nothing. A deadline that comes before its end even on an
/// idle server is refused at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_deadline_during_the_selection_is_refused() {
    let setup = slow_setup("slow_smoothed")
        .with("certificate.selection_votes", 100_000)
        .text("server.max_request_time", "1s");
    let server = TestServer::start(setup).await;
    let mut client = server.client().await;
    for _ in 0..3 {
        let request = certify_with_votes(floats(&[CLEAR_INPUT]), 10);
        let status = client.certify(request).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
        assert!(status.message().contains("by themselves"), "{status:?}");
    }
}
