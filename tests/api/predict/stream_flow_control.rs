//! PredictStream limits the requests in flight, delays no other caller and ends at shutdown.

use certimix::rpc::proto::PredictStreamRequest;
use tonic::Code;

use super::numbered_requests::{admitted_rows, assert_response, request, slow_setup};
use crate::support::messages::floats;
use crate::support::predict_stream::PredictStreamClient;
use crate::support::server::{Client, TEST_TIMEOUT};
use crate::support::{Setup, TestServer, messages};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_window_limits_the_requests_in_flight() {
    const QUEUE_ROWS: usize = 8;
    let setup = slow_setup()
        .with("server.max_inputs", QUEUE_ROWS)
        .with("scheduler.queue_rows", QUEUE_ROWS)
        .with("server.stream_window", 3);
    let server = TestServer::start(setup).await;
    let mut stream = PredictStreamClient::open(server.client().await).await;
    let mut probe = server.client().await;
    for number in 0..60 {
        stream.send(request(number));
    }
    assert_response(stream.next_outcome().await.unwrap(), 0);
    let mut most = 0;
    for _ in 1..50 {
        most = most.max(admitted_rows(&mut probe, QUEUE_ROWS).await);
        // A request that met the probe in the queue is refused, which this test ignores.
        stream.next_outcome().await.unwrap().unwrap();
    }
    assert_eq!(most, 3);
}

/// Finished responses wait for the reader. The queue is free for other callers, also on the same
/// connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_caller_that_does_not_read_delays_only_itself() {
    let setup = slow_setup()
        .with("server.max_inputs", 4)
        // A part of the queue is kept for other callers.
        .with("scheduler.queue_rows", 8)
        .with("server.stream_window", 4);
    let server = TestServer::start(setup).await;
    let narrow = server.narrow_channel().await;
    let mut unread = PredictStreamClient::open(Client::new(narrow.clone())).await;
    for number in 0..100 {
        unread.send(request(number));
    }
    // The stream now occupies the queue, until a full window of responses waits for the reader.
    assert_response(unread.next_outcome().await.unwrap(), 0);
    for mut client in [server.client().await, Client::new(narrow)] {
        let answered = async {
            while client
                .predict(messages::predict_request(floats(&[[0.5; 4]; 4])))
                .await
                .is_err()
            {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(TEST_TIMEOUT, answered)
            .await
            .expect("an unread stream occupies the queue");
    }
    // The server had not read the last requests. It responds to them now.
    for number in 1..100 {
        assert_response(unread.next_outcome().await.unwrap(), number);
    }
}

/// The drain timeout is an hour. The server stops at once because nothing is in flight.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_idle_stream_does_not_delay_shutdown() {
    let setup = Setup::pair("linear_g", "linear_h").text("server.drain_timeout", "1h");
    let mut server = TestServer::start(setup).await;
    let mut idle = PredictStreamClient::open(server.client().await).await;
    let mut silent = PredictStreamClient::open(server.client().await).await;
    idle.send(request(1));
    assert_response(idle.next_outcome().await.unwrap(), 1);
    server.begin_stop();
    for stream in [&mut idle, &mut silent] {
        let end = stream.end_status().await;
        assert_eq!(end.code(), Code::Unavailable, "{end:?}");
        assert!(end.message().contains("stopping"), "{end:?}");
    }
    drop((idle, silent));
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_read_before_shutdown_are_answered() {
    const QUEUE_ROWS: usize = 32;
    let setup = slow_setup()
        .with("server.max_inputs", QUEUE_ROWS)
        .with("scheduler.queue_rows", QUEUE_ROWS)
        .text("server.drain_timeout", "1h");
    let mut server = TestServer::start(setup).await;
    let mut stream = PredictStreamClient::open(server.client().await).await;
    let mut probe = server.client().await;
    for number in 0..200 {
        stream.send(request(number));
    }
    assert_response(stream.next_outcome().await.unwrap(), 0);
    let mut in_flight = 0;
    let busy = async {
        while in_flight < 8 {
            in_flight = admitted_rows(&mut probe, QUEUE_ROWS).await;
        }
    };
    tokio::time::timeout(TEST_TIMEOUT, busy)
        .await
        .expect("too few requests are in flight");
    server.begin_stop();
    let mut answered = 1;
    let end = loop {
        match stream.next_outcome().await {
            Ok(outcome) => assert_response(outcome, answered),
            Err(end) => break end,
        }
        answered += 1;
    };
    assert_eq!(end.code(), Code::Unavailable, "{end:?}");
    assert!((9..200).contains(&answered), "{answered} requests were answered");
    drop((stream, probe));
    server.stop().await.unwrap();
}

/// Thousands of small requests wait behind a full window, each in its own frame. h2 has a budget
/// for small frames, which must not end the connection and its requests in flight.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn many_small_requests_in_the_queue_do_not_end_the_connection() {
    const SMALL: usize = 2600;
    const ROWS: usize = 200;
    let setup = slow_setup()
        .with("server.stream_window", 1)
        .with("server.max_inputs", ROWS);
    let server = TestServer::start(setup).await;
    let mut stream = PredictStreamClient::open(server.client().await).await;
    // Each row takes about 20 ms, so the rows take longer than the small requests need to arrive.
    stream.send(messages::predict_request(floats(&[[0.5; 4]; ROWS])));
    for _ in 0..SMALL {
        stream.send_message(PredictStreamRequest::default());
        // The pause gives each message its own frame.
        tokio::time::sleep(std::time::Duration::from_micros(100)).await;
    }
    stream.next_outcome().await.unwrap().unwrap();
    for _ in 0..SMALL {
        let error = stream.next_error().await;
        assert_eq!(error.violations[0].field, "request", "{error:?}");
    }
}
