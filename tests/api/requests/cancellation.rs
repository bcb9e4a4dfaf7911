//! When a caller leaves, the server cancels its request and releases its reservation.

use std::time::Duration;

use tonic::Code;

use crate::support::messages::{CLEAR_INPUT, certify_with_votes, floats};
use crate::support::predict_stream::PredictStreamClient;
use crate::support::server::{Client, TEST_TIMEOUT};
use crate::support::{Setup, TestServer, messages};

/// Requests one vote until the queue is full, or no longer full.
async fn request_until(client: &mut Client, full: bool) {
    let changed = async {
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
    tokio::time::timeout(TEST_TIMEOUT, changed)
        .await
        .expect("the queue did not change");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_cancelled_request_releases_its_reservation() {
    let server = TestServer::start(Setup::one_slow_request()).await;
    let mut client = server.client().await;
    let mut other = server.client().await;
    // The request below may occupy the queue first, so this one is repeated. Once admitted, it
    // would take hours.
    let endless = tokio::spawn(async move {
        while other
            .certify(certify_with_votes(floats(&[CLEAR_INPUT]), 1_000_000))
            .await
            .is_err()
        {}
    });
    request_until(&mut client, true).await;
    endless.abort();
    request_until(&mut client, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_dropped_certify_stream_releases_its_reservation() {
    let server = TestServer::start(Setup::one_slow_request()).await;
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
    request_until(&mut client, true).await;
    drop(stream);
    request_until(&mut client, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_dropped_predict_stream_releases_its_reservations() {
    let setup = Setup::one_slow_request().with("certificate.predict_votes", 1_000_000);
    let server = TestServer::start(setup).await;
    let mut client = server.client().await;
    let mut stream = PredictStreamClient::open(server.client().await).await;
    // As above, the request is repeated until it is admitted.
    let endless = tokio::spawn(async move {
        loop {
            stream.send(messages::predict_request(floats(&[CLEAR_INPUT])));
            let refused = stream.next_error().await;
            assert_eq!(refused.code, i32::from(Code::ResourceExhausted), "{refused:?}");
        }
    });
    request_until(&mut client, true).await;
    endless.abort();
    request_until(&mut client, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_broken_connection_releases_its_reservations() {
    let server = TestServer::start(Setup::one_slow_request()).await;
    let mut client = server.client().await;
    let endless = certify_with_votes(floats(&[CLEAR_INPUT]), 1_000_000);
    let endpoint = server.endpoint();
    // The drop of the runtime closes the connection without a GOAWAY frame.
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
    request_until(&mut client, false).await;
}
