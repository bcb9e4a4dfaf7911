//! A caller that leaves is forgotten: what it had reserved is free again.

use std::time::Duration;

use tonic::Code;

use crate::support::messages::{CLEAR_INPUT, certify_with_votes, floats};
use crate::support::predict_stream::PredictStreamClient;
use crate::support::server::{Client, TEST_TIMEOUT};
use crate::support::{Setup, TestServer, messages};

/// Room for one request for votes at a time.
fn one_at_a_time() -> Setup {
    Setup::pair("linear_g", "slow_smoothed")
        .batch_size(1)
        .with("certificate.selection_votes", 1)
        .with("certificate.max_votes", 1_000_000)
        .with("certificate.failure_probability", 0.4)
        .with("server.max_inputs", 1)
        .with("scheduler.queue_rows", 2)
        .text("server.max_request_time", "1h")
}

/// Asks for one vote until the answer is, or is no longer, that the queue is full.
async fn ask_until(client: &mut Client, full: bool) {
    let asked = async {
        loop {
            match client.certify(certify_with_votes(floats(&[CLEAR_INPUT]), 1)).await {
                Ok(_) if !full => return,
                Err(status) if full => {
                    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
                    return;
                }
                Ok(_) => {}
                Err(status) => assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(TEST_TIMEOUT, asked)
        .await
        .expect("the queue stays as it was");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_cancelled_request_frees_the_queue() {
    let server = TestServer::start(one_at_a_time()).await;
    let mut client = server.client().await;
    let mut other = server.client().await;
    // It may find the one place taken by the question below, and asks again. Once it has it, it would take hours.
    let endless = tokio::spawn(async move {
        while other
            .certify(certify_with_votes(floats(&[CLEAR_INPUT]), 1_000_000))
            .await
            .is_err()
        {}
    });
    ask_until(&mut client, true).await;
    endless.abort();
    ask_until(&mut client, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stream_that_is_dropped_frees_the_queue() {
    let server = TestServer::start(one_at_a_time()).await;
    let mut client = server.client().await;
    let endless = certify_with_votes(floats(&[CLEAR_INPUT]), 1_000_000);
    let mut stream = server
        .client()
        .await
        .certify_stream(endless)
        .await
        .unwrap()
        .into_inner();
    stream.message().await.unwrap().unwrap();
    ask_until(&mut client, true).await;
    drop(stream);
    ask_until(&mut client, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn requests_of_a_predict_stream_that_is_dropped_free_the_queue() {
    let setup = one_at_a_time().with("certificate.predict_votes", 1_000_000);
    let server = TestServer::start(setup).await;
    let mut client = server.client().await;
    let mut stream = PredictStreamClient::open(server.client().await).await;
    // As above: it asks again until it has the one place.
    let endless = tokio::spawn(async move {
        loop {
            stream.send(messages::predict_request(floats(&[CLEAR_INPUT])));
            let refused = stream.next_error().await;
            assert_eq!(refused.code, i32::from(Code::ResourceExhausted), "{refused:?}");
        }
    });
    ask_until(&mut client, true).await;
    endless.abort();
    ask_until(&mut client, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_connection_that_breaks_frees_the_queue() {
    let server = TestServer::start(one_at_a_time()).await;
    let mut client = server.client().await;
    let endless = certify_with_votes(floats(&[CLEAR_INPUT]), 1_000_000);
    let endpoint = server.endpoint();
    // Dropping its runtime closes the connection without a word.
    let (sender, receiver) = std::sync::mpsc::channel();
    let caller = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut client = Client::new(endpoint.connect().await.unwrap());
            let mut stream = client.certify_stream(endless).await.unwrap().into_inner();
            stream.message().await.unwrap().unwrap();
            sender.send(()).unwrap();
        });
    });
    receiver.recv_timeout(TEST_TIMEOUT).unwrap();
    caller.join().unwrap();
    ask_until(&mut client, false).await;
}
