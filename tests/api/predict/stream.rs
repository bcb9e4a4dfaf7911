//! PredictStream sends one outcome for each request, in order, with errors in place.
//!
//! A window limits the requests in flight. A slow reader delays no other caller.

use certimix::rpc::proto::predict_stream_response::Outcome;
use certimix::rpc::proto::{PredictRequest, PredictStreamRequest, Tensor};
use tonic::Code;

use crate::support::messages::{floats, violated_fields};
use crate::support::predict_stream::{PredictStreamClient, next_outcome};
use crate::support::reference_formulas::{assert_close, g_logits, h_logits, mixed_logits, softmax};
use crate::support::server::{Client, TEST_TIMEOUT};
use crate::support::{Setup, TestServer, messages};

/// Returns a distinct input for each number.
fn input(number: u8) -> [f32; 4] {
    let x = f32::from(number) / 256.0;
    [x, -x, 0.5 - x, 0.25]
}

fn request(number: u8) -> PredictRequest {
    messages::predict_request(floats(&[input(number)]))
}

#[track_caller]
fn assert_response(outcome: Option<Outcome>, number: u8) {
    let Some(Outcome::Response(response)) = outcome else {
        panic!("request {number} has no answer: {outcome:?}");
    };
    let x = input(number);
    let f = mixed_logits(0.76, &softmax(&g_logits(x)), &softmax(&h_logits(x)));
    assert_eq!(response.predictions.len(), 1);
    assert_close(&response.predictions[0].mixed_logits, &f, 1e-4);
    assert_eq!(response.provenance.unwrap().config_revision.len(), 64);
}

/// Settings with a batch size of one row, which takes about 20 ms.
fn slow_setup() -> Setup {
    Setup::pair("slow_g", "slow_h").batch_size(1)
}

/// Returns the number of admitted rows. The server reports it when it refuses a request that
/// exceeds the rest of the queue.
async fn admitted_rows(client: &mut Client, capacity: usize) -> usize {
    let all = vec![[0.0; 4]; capacity];
    match client.predict(messages::predict_request(floats(&all))).await {
        Ok(_) => 0,
        Err(status) => {
            assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
            let (_, rest) = status.message().split_once("full: ").unwrap();
            rest.split(' ').next().unwrap().parse().unwrap()
        }
    }
}

/// Each request has an earlier deadline than the one before. The server runs them in reverse and
/// responds in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn outcomes_come_in_the_order_of_the_requests() {
    let server = TestServer::start(slow_setup().text("server.max_request_time", "10m")).await;
    let mut stream = PredictStreamClient::open(server.client().await).await;
    for number in 0..40 {
        stream.send_with_timeout(request(number), 600_000_000 - u64::from(number) * 1_000_000);
    }
    for number in 0..40 {
        assert_response(stream.next_outcome().await.unwrap(), number);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_error_keeps_its_place_and_matches_the_status_of_predict() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h")).await;
    let mut client = server.client().await;
    let mut stream = PredictStreamClient::open(client.clone()).await;
    let wrong = PredictRequest {
        inputs: Some(Tensor {
            dtype: 0,
            shape: vec![1, 5],
            ..floats(&[[0.0; 4]])
        }),
        priority: 9,
        ..Default::default()
    };
    stream.send(request(1));
    stream.send(wrong.clone());
    stream.send_message(PredictStreamRequest::default());
    stream.send(request(2));
    assert_response(stream.next_outcome().await.unwrap(), 1);
    let unary = client.predict(wrong).await.unwrap_err();
    let error = stream.next_error().await;
    assert_eq!((error.code, error.message.as_str()), (3, unary.message()));
    let found: Vec<_> = error.violations.iter().map(|wrong| wrong.field.as_str()).collect();
    assert_eq!(found, ["priority", "inputs.dtype", "inputs.shape"]);
    assert_eq!(violated_fields(&unary), found);
    let error = stream.next_error().await;
    assert_eq!((error.code, error.violations.len()), (3, 1), "{error:?}");
    assert_eq!(error.violations[0].field, "request");
    assert_response(stream.next_outcome().await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_full_queue_is_reported_in_place() {
    let setup = slow_setup()
        .with("server.max_inputs", 4)
        .with("scheduler.queue_rows", 4);
    let server = TestServer::start(setup).await;
    let mut stream = PredictStreamClient::open(server.client().await).await;
    let four = messages::predict_request(floats(&[[0.5; 4]; 4]));
    for _ in 0..16 {
        stream.send(four.clone());
    }
    assert_eq!(stream.next_response().await.predictions.len(), 4);
    let mut refused = 0;
    for _ in 1..16 {
        if let Some(Outcome::Error(error)) = stream.next_outcome().await.unwrap() {
            assert_eq!(error.code, i32::from(Code::ResourceExhausted), "{error:?}");
            assert!(error.message.contains("queue is full"), "{error:?}");
            assert!(error.retry_after_ms > 0, "{error:?}");
            refused += 1;
        }
    }
    assert!(refused > 0);
    stream.send(four);
    assert_eq!(stream.next_response().await.predictions.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn each_request_has_its_own_deadline() {
    let server = TestServer::start(slow_setup()).await;
    let mut stream = PredictStreamClient::open(server.client().await).await;
    stream.send(request(1));
    // The first timeout is 100 microseconds. The second is the largest number, so the operator's
    // limit holds.
    stream.send_with_timeout(request(2), 100);
    stream.send_with_timeout(request(3), u64::MAX);
    assert_response(stream.next_outcome().await.unwrap(), 1);
    let error = stream.next_error().await;
    assert_eq!(error.code, i32::from(Code::DeadlineExceeded), "{error:?}");
    assert_response(stream.next_outcome().await.unwrap(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_operators_time_limit_holds_for_each_request() {
    let server = TestServer::start(slow_setup().text("server.max_request_time", "1ms")).await;
    let mut stream = PredictStreamClient::open(server.client().await).await;
    for timeout_us in [0, 60_000_000] {
        stream.send_with_timeout(messages::predict_request(floats(&[[0.5; 4]; 8])), timeout_us);
        let error = stream.next_error().await;
        assert_eq!(error.code, i32::from(Code::DeadlineExceeded), "{error:?}");
    }
}

/// The stream ends at the caller's deadline, and not before.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_callers_deadline_ends_the_stream() {
    // The limit of a request is far shorter than that of the stream. It does not limit the stream.
    let setup = Setup::pair("linear_g", "linear_h").text("server.max_request_time", "1s");
    let server = TestServer::start(setup).await;
    let timeout = std::time::Duration::from_secs(3);
    let mut stream =
        PredictStreamClient::open_with(server.client().await, |request| request.set_timeout(timeout)).await;
    stream.send(request(1));
    assert_response(stream.next_outcome().await.unwrap(), 1);
    tokio::time::sleep(timeout / 2).await;
    stream.send(request(2));
    assert_response(stream.next_outcome().await.unwrap(), 2);
    let end = stream.end_status().await;
    assert_eq!(end.code(), Code::DeadlineExceeded, "{end:?}");
    assert!(end.message().contains("grpc-timeout"), "{end:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_invalid_timeout_is_refused() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h")).await;
    let mut request = tonic::Request::new(tokio_stream::empty());
    request.metadata_mut().insert("grpc-timeout", "soon".parse().unwrap());
    let refused = server.client().await.predict_stream(request).await.unwrap_err();
    assert_eq!(violated_fields(&refused), ["grpc-timeout"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_caller_that_ends_its_requests_gets_every_response() {
    let server = TestServer::start(slow_setup()).await;
    let stream = PredictStreamClient::open(server.client().await).await;
    for number in 0..5 {
        stream.send(request(number));
    }
    let mut responses = stream.close();
    for number in 0..5 {
        assert_response(next_outcome(&mut responses).await.unwrap(), number);
    }
    assert!(next_outcome(&mut responses).await.unwrap().is_none());
    let mut nothing = PredictStreamClient::open(server.client().await).await.close();
    assert!(next_outcome(&mut nothing).await.unwrap().is_none());
}

/// A message over the limit has no outcome of its own. It ends the stream after the earlier
/// outcomes.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_message_over_the_limit_ends_the_stream() {
    let setup = slow_setup().with("server.max_message_bytes", 1024);
    let server = TestServer::start(setup).await;
    let mut stream = PredictStreamClient::open(server.client().await).await;
    stream.send(request(1));
    stream.send(messages::predict_request(floats(&[[0.5; 4]; 64])));
    assert_response(stream.next_outcome().await.unwrap(), 1);
    let end = stream.end_status().await;
    assert_eq!(end.code(), Code::ResourceExhausted, "{end:?}");
    assert!(end.message().contains("1024"), "{end:?}");
}

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
        .with("scheduler.queue_rows", 4)
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
