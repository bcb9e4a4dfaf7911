//! CertifyStream: a certificate that grows. Every message holds by itself, radii never shrink, the last one is final.

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

async fn all(mut stream: Streaming<CertifyStreamResponse>) -> Vec<CertifyStreamResponse> {
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

fn radii(messages: &[CertifyStreamResponse]) -> Vec<f64> {
    messages
        .iter()
        .map(|message| certificate(message.prediction.as_ref().unwrap()).radius)
        .collect()
}

fn assert_well_formed(messages: &[CertifyStreamResponse]) {
    let finals: Vec<bool> = messages.iter().map(|message| message.r#final).collect();
    let (last, before) = finals.split_last().expect("no message");
    assert!(*last && !before.contains(&true), "{finals:?}");
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
async fn a_certificate_grows_and_never_shrinks() {
    let server = TestServer::start(setup()).await;
    let order = certify_with_votes(floats(&[[0.25; 4]]), 50_000);
    let messages = all(server.client().await.certify_stream(order).await.unwrap().into_inner()).await;
    assert_well_formed(&messages);
    assert!(messages.len() > 3, "{} messages", messages.len());
    let last = certificate(messages.last().unwrap().prediction.as_ref().unwrap());
    assert_eq!(last.stop_reason(), StopReason::VoteBudget);
    // 50,000 votes were drawn; the best moment of them is what was served.
    assert!(last.votes > 40_000 && last.votes <= 50_000, "{last:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stream_ends_at_its_target() {
    let server = TestServer::start(setup()).await;
    let order = CertifyRequest {
        target_radius: Some(0.2),
        ..certify_with_votes(floats(&[[0.25; 4]]), 50_000)
    };
    let messages = all(server.client().await.certify_stream(order).await.unwrap().into_inner()).await;
    assert_well_formed(&messages);
    let last = certificate(messages.last().unwrap().prediction.as_ref().unwrap());
    assert_eq!(last.stop_reason(), StopReason::TargetReached);
    assert!(last.radius >= 0.2 * (1.0 - 1e-12) && last.votes < 50_000, "{last:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_does_not_grow_is_one_final_message() {
    let server = TestServer::start(setup()).await;
    let mut client = server.client().await;
    let undecided = certify_with_votes(floats(&[[0.0; 4]]), 200);
    let fixed = CertifyRequest {
        bound: BoundMethod::ClopperPearson.into(),
        ..certify_with_votes(floats(&[[0.25; 4]]), 200)
    };
    for order in [undecided, fixed] {
        let messages = all(client.certify_stream(order).await.unwrap().into_inner()).await;
        assert_well_formed(&messages);
        assert!(messages.len() <= 2, "{} messages", messages.len());
    }
    let server = TestServer::start(Setup::pair("linear_g", "linear_h")).await;
    let order = certify_with_votes(floats(&[[0.75, -0.5, -0.25, 0.5]]), 200);
    let messages = all(server.client().await.certify_stream(order).await.unwrap().into_inner()).await;
    assert_eq!((messages.len(), messages[0].r#final), (1, true));
    assert!(radii(&messages)[0] > 0.0);
}

/// A reader that does not read: the votes end, their place in the queue is free, and the last message still comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_slow_reader_holds_nothing_up() {
    // Room for one request for votes at a time: a quarter of it is not for them.
    let setup = setup()
        .with("server.max_inputs", 1)
        .with("scheduler.queue_rows", 171)
        .text("server.max_request_time", "10m");
    let server = TestServer::start(setup).await;
    let narrow = server.narrow_channel().await;
    let order = certify_with_votes(floats(&[[0.25; 4]]), 50_000);
    let unread = Client::new(narrow).certify_stream(order).await.unwrap().into_inner();
    let mut client = server.client().await;
    let asked = async {
        while client
            .certify(certify_with_votes(floats(&[[0.25; 4]]), 10))
            .await
            .is_err()
        {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(TEST_TIMEOUT, asked)
        .await
        .expect("an unread stream holds the queue");
    let messages = all(unread).await;
    assert_well_formed(&messages);
    assert!(messages.last().unwrap().r#final);
}
