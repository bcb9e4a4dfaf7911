//! Connections of a certain age are replaced, and nobody notices.

use std::error::Error as _;
use std::time::{Duration, Instant};

use tonic::transport::Endpoint;
use tonic::{Code, Status};

use crate::support::exchange::Exchange;
use crate::support::process::Served;
use crate::support::server::{Client, PATIENCE};
use crate::support::wire::{CLEAR, floats};
use crate::support::{Setup, wire};

fn setup(age: &str) -> Setup {
    Setup::pair("linear_g", "linear_h")
        .text("server.max_connection_age", age)
        .text("log.filter", "certimix=debug")
}

async fn client(served: &Served) -> Client {
    let endpoint = Endpoint::from_shared(format!("http://{}", served.address())).unwrap();
    Client::new(endpoint.timeout(PATIENCE).connect().await.unwrap())
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
    let served = Served::spawn(&setup.write());
    let mut client = client(&served).await;
    let (start, mut asked) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_secs(2) {
        let answer = client.predict(wire::predict(floats(&[CLEAR]))).await;
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
        served.line_with("connection closing reason=Age");
    }
}

/// A stream is told to go on by a new connection; what it has asked is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stream_is_asked_to_come_again() {
    let setup = setup("200ms").text("server.max_connection_age_grace", "1h");
    let served = Served::spawn(&setup.write());
    let mut stream = Exchange::open(client(&served).await).await;
    stream.ask(wire::predict(floats(&[CLEAR])));
    stream.response().await;
    let end = stream.end().await;
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
    let served = Served::spawn(&setup.write());
    let order = wire::certify_with(floats(&[CLEAR]), 1_000_000);
    let asked = client(&served).await.certify(order).await;
    asked.unwrap_err();
}
