//! A server that stops, is killed, and comes back.

use std::time::Duration;

use certimix_client::{Answer, Error, ErrorKind, Norm, RetryPolicy};

use crate::support::inputs::{clear_input, patient};
use crate::support::server_process::ServerProcess;

/// Checks that a server has answered, and certified the answer.
#[track_caller]
fn assert_certified(outcome: Result<Answer, Error>) {
    assert!(outcome.unwrap().certified_beyond(0.0, Norm::L2));
}

/// A policy that waits as long as a start of the server takes.
fn lasting() -> RetryPolicy {
    RetryPolicy::new(5, Duration::from_secs(1), Duration::from_secs(8)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_and_streams_reconnect_after_a_restart() {
    let mut server = ServerProcess::start(&[]);
    let mut clients = Vec::new();
    for address in server.addresses() {
        let client = patient(&address).connect().await.unwrap();
        clients.push((client.predict_stream(), client));
    }
    for kill in [false, true] {
        for (stream, client) in &clients {
            assert_certified(client.predict(&clear_input()).await);
            assert_certified(stream.predict(&clear_input()).await);
        }
        if kill {
            server.kill()
        } else {
            server.stop()
        }
        for (stream, client) in &clients {
            for outcome in [
                client.predict(&clear_input()).await,
                stream.predict(&clear_input()).await,
            ] {
                let error = outcome.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            }
        }
        server.restart();
    }
    for (stream, client) in &clients {
        assert_certified(client.predict(&clear_input()).await);
        assert_certified(stream.predict(&clear_input()).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_meets_a_restart_is_sent_again() {
    for use_stream in [false, true] {
        let mut server = ServerProcess::start(&[]);
        let client = patient(&server.tcp()).retry(lasting()).connect().await.unwrap();
        let stream = client.predict_stream();
        stream.predict(&clear_input()).await.unwrap();
        server.kill();
        let restart = tokio::task::spawn_blocking(move || {
            server.restart();
            server
        });
        let input = clear_input();
        let answer = if use_stream {
            stream.predict(&input).await
        } else {
            client.predict(&input).await
        };
        assert_certified(answer);
        restart.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lazy_client_is_older_than_its_server() {
    let mut server = ServerProcess::start(&[]);
    let address = server.tcp();
    server.stop();
    let error = patient(&address).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.message().contains(&address), "{error}");
    let client = patient(&address).connect_lazy().unwrap();
    let error = client.predict(&clear_input()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    server.restart();
    assert_certified(client.predict(&clear_input()).await);
}
