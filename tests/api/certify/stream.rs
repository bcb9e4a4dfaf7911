//! CertifyStream sends a growing certificate. Each message is valid by itself, radii never shrink
//! and the last message is final.

use certimix::rpc::proto::{BoundMethod, CertifyRequest, CertifyStreamResponse, StopReason};
use tonic::Streaming;

use crate::support::messages::{certificate, certify_with_votes, floats};
use crate::support::server::{Client, TEST_TIMEOUT};
use crate::support::{Setup, TestServer, recompute};

const ALPHA: f64 = 0.76;

fn setup() -> Setup {
    Setup::pair("steep_g", "half_space")
        .batch_size(64)
        .with("certificate.max_votes", 50_000)
}

async fn receive_all(mut stream: Streaming<CertifyStreamResponse>) -> Vec<CertifyStreamResponse> {
    let mut messages = Vec::new();
    while let Some(message) = tokio::time::timeout(TEST_TIMEOUT, stream.message())
        .await
        .unwrap()
        .unwrap()
    {
        messages.push(message);
    }
    messages
}

/// Returns all messages of one CertifyStream.
async fn certify_stream(server: &TestServer, request: CertifyRequest) -> Vec<CertifyStreamResponse> {
    let mut client = server.client().await;
    receive_all(client.certify_stream(request).await.unwrap().into_inner()).await
}

fn radii(messages: &[CertifyStreamResponse]) -> Vec<f64> {
    messages
        .iter()
        .map(|message| certificate(message.prediction.as_ref().unwrap()).radius)
        .collect()
}

fn assert_valid_growth(messages: &[CertifyStreamResponse]) {
    let finals: Vec<bool> = messages.iter().map(|message| message.r#final).collect();
    let (last, before) = finals.split_last().expect("no message");
    assert!(*last && !before.contains(&true), "{finals:?}");
    let is_timed = |message: &CertifyStreamResponse| message.timings.is_some();
    assert!(messages.iter().all(|message| is_timed(message) == message.r#final));
    assert!(radii(messages).is_sorted(), "{:?}", radii(messages));
    let first = certificate(messages[0].prediction.as_ref().unwrap());
    for message in messages {
        let prediction = message.prediction.as_ref().unwrap();
        let found = certificate(prediction);
        recompute::assert_certificate(found, ALPHA);
        assert_eq!((&found.noise_key, found.two_sided), (&first.noise_key, first.two_sided));
        assert_eq!(prediction.mixed_logits.len(), 2);
        assert_eq!(message.provenance, messages[0].provenance);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_radius_grows_and_never_shrinks() {
    let server = TestServer::start(setup()).await;
    let request = certify_with_votes(floats(&[[0.25; 4]]), 50_000);
    let messages = certify_stream(&server, request).await;
    assert_valid_growth(&messages);
    assert!(messages.len() > 3, "{} messages", messages.len());
    let last = certificate(messages.last().unwrap().prediction.as_ref().unwrap());
    assert_eq!(last.stop_reason(), StopReason::VoteBudget);
    // The loop drew 50,000 votes, and served its best evaluation.
    assert!(last.votes > 40_000 && last.votes <= 50_000, "{last:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_stream_ends_at_its_target() {
    let server = TestServer::start(setup()).await;
    let request = CertifyRequest {
        target_radius: Some(0.2),
        ..certify_with_votes(floats(&[[0.25; 4]]), 50_000)
    };
    let messages = certify_stream(&server, request).await;
    assert_valid_growth(&messages);
    let last = certificate(messages.last().unwrap().prediction.as_ref().unwrap());
    assert_eq!(last.stop_reason(), StopReason::TargetReached);
    assert!(last.radius >= 0.2 * (1.0 - 1e-12) && last.votes < 50_000, "{last:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_certificate_that_cannot_grow_is_one_final_message() {
    let server = TestServer::start(setup()).await;
    let mut client = server.client().await;
    let undecided = certify_with_votes(floats(&[[0.0; 4]]), 200);
    let fixed = CertifyRequest {
        bound: BoundMethod::ClopperPearson.into(),
        ..certify_with_votes(floats(&[[0.25; 4]]), 200)
    };
    for request in [undecided, fixed] {
        let messages = receive_all(client.certify_stream(request).await.unwrap().into_inner()).await;
        assert_valid_growth(&messages);
        assert!(messages.len() <= 2, "{} messages", messages.len());
    }
    let server = TestServer::start(Setup::pair("linear_g", "linear_h")).await;
    let request = certify_with_votes(floats(&[[0.75, -0.5, -0.25, 0.5]]), 200);
    let messages = certify_stream(&server, request).await;
    assert_eq!((messages.len(), messages[0].r#final), (1, true));
    assert!(radii(&messages)[0] > 0.0);
}

/// If the reader does not read, the votes still end and release the queue, and the last message
/// arrives later.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_slow_reader_does_not_delay_other_callers() {
    // The queue holds one request for votes at a time. A quarter of the queue is reserved for
    // interactive requests.
    let setup = setup()
        .with("server.max_inputs", 1)
        .with("scheduler.queue_rows", 171)
        .text("server.max_request_time", "10m");
    let server = TestServer::start(setup).await;
    let narrow = server.narrow_channel().await;
    let request = certify_with_votes(floats(&[[0.25; 4]]), 50_000);
    let unread = Client::new(narrow).certify_stream(request).await.unwrap().into_inner();
    let mut client = server.client().await;
    let served = async {
        while client
            .certify(certify_with_votes(floats(&[[0.25; 4]]), 10))
            .await
            .is_err()
        {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(TEST_TIMEOUT, served)
        .await
        .expect("an unread stream occupies the queue");
    let messages = receive_all(unread).await;
    assert_valid_growth(&messages);
    assert!(messages.last().unwrap().r#final);
}
