//! Connections of a certain age are replaced, and nobody notices.

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

/// Whether a request was given up in the client, or was by the protocol not begun on: both while its connection was given up.
fn was_never_begun(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(found) = cause {
        // h2 says the second of streams behind the last that the server has taken on, and of no other.
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
async fn a_loop_over_many_ages_loses_nothing() {
    let setup = setup("100ms");
    let server = ServerProcess::spawn(&setup.write());
    let mut client = client(&server).await;
    let (start, mut asked) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_secs(2) {
        let answer = client.predict(messages::predict_request(floats(&[CLEAR_INPUT]))).await;
        asked += 1;
        match answer {
            Ok(_) => {}
            // Nothing was begun, so nothing is lost. gRPC's own libraries take another connection by themselves; tonic hands the
            // request back.
            Err(status) if was_never_begun(&status) => {}
            Err(status) => panic!("request {asked}: {status:?}"),
        }
    }
    for _ in 0..5 {
        server.line_with("asked to end why=Age");
    }
}

/// A stream is told to go on by a new connection; what it has asked is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stream_is_asked_to_come_again() {
    let setup = setup("200ms").text("server.max_connection_age_grace", "1h");
    let server = ServerProcess::spawn(&setup.write());
    let mut stream = PredictStreamClient::open(client(&server).await).await;
    stream.send(messages::predict_request(floats(&[CLEAR_INPUT])));
    stream.next_response().await;
    let end = stream.end_status().await;
    assert_eq!(end.code(), Code::Unavailable, "{end:?}");
    assert!(end.message().contains("server.max_connection_age"), "{end:?}");
}

/// What goes on beyond the grace is cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_grace_has_an_end() {
    let setup = Setup::pair("linear_g", "slow_smoothed")
        .batch_size(1)
        .with("certificate.selection_votes", 1)
        .with("certificate.max_votes", 1_000_000)
        .with("certificate.failure_probability", 0.4)
        .text("server.max_request_time", "1h")
        .text("server.max_connection_age", "200ms")
        .text("server.max_connection_age_grace", "200ms");
    let server = ServerProcess::spawn(&setup.write());
    let order = messages::certify_with_votes(floats(&[CLEAR_INPUT]), 1_000_000);
    let asked = client(&server).await.certify(order).await;
    asked.unwrap_err();
}
