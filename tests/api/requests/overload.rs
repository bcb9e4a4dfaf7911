//! A full queue refuses at once with a retry delay, and does not disturb the requests in it.

use certimix::rpc::proto::CertifyRequest;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::support::messages::{CLEAR_INPUT, certify_with_votes, floats};
use crate::support::reference_formulas::{assert_close, g_logits, h_logits, mixed_logits, softmax};
use crate::support::{Setup, TestServer, messages};

#[track_caller]
fn assert_refused_with_retry_delay(status: &Status) {
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    let pushback = status
        .metadata()
        .get("grpc-retry-pushback-ms")
        .expect("a pushback")
        .to_str()
        .unwrap();
    assert!(pushback.parse::<u64>().unwrap() > 0);
    assert!(status.get_details_retry_info().unwrap().retry_delay.is_some());
    let message = status.message();
    let is_full = message.contains("queue is full") || message.contains("share of the queue is exhausted");
    assert!(is_full, "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn excess_requests_are_refused_and_the_others_are_answered() {
    let setup = Setup::pair("slow_g", "slow_h")
        .with("server.max_inputs", 4)
        .with("scheduler.queue_rows", 8)
        .batch_size(1);
    let server = TestServer::start(setup).await;
    let client = server.client().await;
    let x = [0.5, -0.25, 0.125, 0.75];
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let mut client = client.clone();
            tokio::spawn(async move { client.predict(messages::predict_request(floats(&[x]))).await })
        })
        .collect();
    let (mut answered, mut refused) = (0, 0);
    for response in calls {
        match response.await.unwrap() {
            Ok(response) => {
                let f = mixed_logits(0.76, &softmax(&g_logits(x)), &softmax(&h_logits(x)));
                assert_close(&response.into_inner().predictions[0].mixed_logits, &f, 1e-4);
                answered += 1;
            }
            Err(status) => {
                assert_refused_with_retry_delay(&status);
                refused += 1;
            }
        }
    }
    assert!(answered >= 4 && refused >= 1, "{answered} answered, {refused} refused");
    client
        .clone()
        .predict(messages::predict_request(floats(&[x; 4])))
        .await
        .unwrap();
}

/// A request for votes that the queue cannot hold is refused before its first vote, on a stream
/// too.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn requests_for_votes_are_refused_before_their_first_vote() {
    let setup = Setup::pair("linear_g", "slow_smoothed")
        .batch_size(1)
        .with("certificate.selection_votes", 1)
        .with("certificate.max_votes", 1_000_000)
        .with("server.max_inputs", 1)
        .with("scheduler.queue_rows", 2);
    let server = TestServer::start(setup).await;
    let order = CertifyRequest {
        failure_probability: Some(0.4),
        ..certify_with_votes(floats(&[CLEAR_INPUT]), 1_000_000)
    };
    let mut first = server
        .client()
        .await
        .certify_stream(order.clone())
        .await
        .unwrap()
        .into_inner();
    first.message().await.unwrap().unwrap();
    let mut client = server.client().await;
    assert_refused_with_retry_delay(&client.certify(order.clone()).await.unwrap_err());
    assert_refused_with_retry_delay(
        &client
            .predict(messages::predict_request(floats(&[[0.5; 4]])))
            .await
            .unwrap_err(),
    );
    let refused = match client.certify_stream(order).await {
        Ok(stream) => stream.into_inner().message().await.unwrap_err(),
        Err(status) => status,
    };
    assert_refused_with_retry_delay(&refused);
    // The first request continues.
    first.message().await.unwrap().unwrap();
}
