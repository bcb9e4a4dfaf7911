//! The server ends connections at their maximum age, and clients reconnect without losing a
//! request.

use std::error::Error as _;
use std::time::{Duration, Instant};

use tonic::transport::Endpoint;
use tonic::{Code, Status};

use crate::support::messages::{CLEAR_INPUT, floats};
use crate::support::predict_stream::PredictStreamClient;
use crate::support::process::ServerProcess;
use crate::support::server::{Client, TEST_TIMEOUT};
use crate::support::{Setup, messages};

fn setup(age: &str) -> Setup {
    Setup::pair("linear_g", "linear_h")
        .text("server.max_connection_age", age)
        .text("log.filter", "certimix=debug")
}

async fn client(server: &ServerProcess) -> Client {
    let endpoint = Endpoint::from_shared(format!("http://{}", server.address())).unwrap();
    Client::new(endpoint.timeout(TEST_TIMEOUT).connect().await.unwrap())
}

/// Returns whether a request was never processed: the client cancelled it, or the server's GOAWAY
/// frame excludes it, while the connection closed.
fn was_never_processed(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(found) = cause {
        // h2 reports this GOAWAY only for streams after the last one that the server accepted.
        let is_canceled = found
            .downcast_ref::<hyper::Error>()
            .is_some_and(hyper::Error::is_canceled);
        if is_canceled || format!("{found:?}").contains("GoAway(b\"\", NO_ERROR, Remote)") {
            return true;
        }
        cause = found.source();
    }
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_across_many_connections_are_not_lost() {
    let setup = setup("100ms");
    let server = ServerProcess::spawn(&setup.write());
    let mut client = client(&server).await;
    let (start, mut sent) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_secs(2) {
        let response = client.predict(messages::predict_request(floats(&[CLEAR_INPUT]))).await;
        sent += 1;
        match response {
            Ok(_) => {}
            // The request was never processed, so nothing is lost. The official gRPC libraries
            // retry by themselves. tonic returns the error to its caller.
            Err(status) if was_never_processed(&status) => {}
            Err(status) => panic!("request {sent}: {status:?}"),
        }
    }
    for _ in 0..5 {
        server.line_with("connection closing reason=server.max_connection_age is reached");
    }
}

/// The server answers the requests of a stream, and then ends it with a request to reconnect.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stream_ends_with_a_request_to_reconnect() {
    let setup = setup("200ms").text("server.max_connection_age_grace", "1h");
    let server = ServerProcess::spawn(&setup.write());
    let mut stream = PredictStreamClient::open(client(&server).await).await;
    stream.send(messages::predict_request(floats(&[CLEAR_INPUT])));
    stream.next_response().await;
    let end = stream.end_status().await;
    assert_eq!(end.code(), Code::Unavailable, "{end:?}");
    assert!(end.message().contains("server.max_connection_age"), "{end:?}");
}

/// The server aborts a request that lasts beyond the grace period.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_grace_period_is_limited() {
    let setup = Setup::pair("linear_g", "slow_smoothed")
        .batch_size(1)
        .with("certificate.selection_votes", 1)
        .with("certificate.max_votes", 1_000_000)
        .with("certificate.failure_probability", 0.4)
        .text("server.max_request_time", "1h")
        .text("server.max_connection_age", "200ms")
        .text("server.max_connection_age_grace", "200ms");
    let server = ServerProcess::spawn(&setup.write());
    let request = messages::certify_with_votes(floats(&[CLEAR_INPUT]), 1_000_000);
    let sent = client(&server).await.certify(request).await;
    sent.unwrap_err();
}
