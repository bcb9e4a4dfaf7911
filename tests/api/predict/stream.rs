//! PredictStream: one answer for each request, in their order; errors in their place; a window, and nobody else held up.

use certimix::rpc::proto::predict_stream_response::Outcome;
use certimix::rpc::proto::{PredictRequest, PredictStreamRequest, Tensor};
use tonic::Code;

use crate::support::messages::{floats, violated_fields};
use crate::support::predict_stream::{PredictStreamClient, next_outcome};
use crate::support::reference_formulas::{assert_close, g_logits, h_logits, mixed_logits, softmax};
use crate::support::server::{Client, TEST_TIMEOUT};
use crate::support::{Setup, TestServer, messages};

/// An input of its own for each number.
fn input(number: u8) -> [f32; 4] {
    let x = f32::from(number) / 256.0;
    [x, -x, 0.5 - x, 0.25]
}

fn ask(number: u8) -> PredictRequest {
    messages::predict_request(floats(&[input(number)]))
}

#[track_caller]
fn assert_answers(outcome: Option<Outcome>, number: u8) {
    let Some(Outcome::Response(response)) = outcome else {
        panic!("request {number} has no answer: {outcome:?}");
    };
    let x = input(number);
    let f = mixed_logits(0.76, &softmax(&g_logits(x)), &softmax(&h_logits(x)));
    assert_eq!(response.predictions.len(), 1);
    assert_close(&response.predictions[0].mixed_logits, &f, 1e-4);
    assert_eq!(response.provenance.unwrap().config_revision.len(), 64);
}

/// One row a run, some 20 ms a run.
fn slow() -> Setup {
    Setup::pair("slow_g", "slow_h").batch_size(1)
}

/// How many rows are admitted, which the server tells whoever asks for more than it has room for.
async fn admitted(client: &mut Client, capacity: usize) -> usize {
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

/// The later a request, the sooner it must be answered: the server runs them backwards and answers them forwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn answers_come_in_the_order_of_the_requests() {
    let server = TestServer::start(slow().text("server.max_request_time", "10m")).await;
    let mut stream = PredictStreamClient::open(server.client().await).await;
    for number in 0..40 {
        stream.send_with_timeout(ask(number), 600_000_000 - u64::from(number) * 1_000_000);
    }
    for number in 0..40 {
        assert_answers(stream.next_outcome().await.unwrap(), number);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_error_stays_in_its_place_and_says_what_predict_would() {
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
    stream.send(ask(1));
    stream.send(wrong.clone());
    stream.send_message(PredictStreamRequest::default());
    stream.send(ask(2));
    assert_answers(stream.next_outcome().await.unwrap(), 1);
    let unary = client.predict(wrong).await.unwrap_err();
    let error = stream.next_error().await;
    assert_eq!((error.code, error.message.as_str()), (3, unary.message()));
    let found: Vec<_> = error.violations.iter().map(|wrong| wrong.field.as_str()).collect();
    assert_eq!(found, ["priority", "inputs.dtype", "inputs.shape"]);
    assert_eq!(violated_fields(&unary), found);
    let error = stream.next_error().await;
    assert_eq!((error.code, error.violations.len()), (3, 1), "{error:?}");
    assert_eq!(error.violations[0].field, "request");
    assert_answers(stream.next_outcome().await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_full_queue_is_told_in_its_place() {
    let setup = slow().with("server.max_inputs", 4).with("scheduler.queue_rows", 4);
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
async fn a_request_has_a_deadline_of_its_own() {
    let server = TestServer::start(slow()).await;
    let mut stream = PredictStreamClient::open(server.client().await).await;
    stream.send(ask(1));
    // Of microseconds, and as many as can be said: the operator's limit holds.
    stream.send_with_timeout(ask(2), 100);
    stream.send_with_timeout(ask(3), u64::MAX);
    assert_answers(stream.next_outcome().await.unwrap(), 1);
    let error = stream.next_error().await;
    assert_eq!(error.code, i32::from(Code::DeadlineExceeded), "{error:?}");
    assert_answers(stream.next_outcome().await.unwrap(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_operators_limit_holds_for_every_request() {
    let server = TestServer::start(slow().text("server.max_request_time", "1ms")).await;
    let mut stream = PredictStreamClient::open(server.client().await).await;
    for timeout_us in [0, 60_000_000] {
        stream.send_with_timeout(messages::predict_request(floats(&[[0.5; 4]; 8])), timeout_us);
        let error = stream.next_error().await;
        assert_eq!(error.code, i32::from(Code::DeadlineExceeded), "{error:?}");
    }
}

/// It ends for the caller's own deadline, and not before.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_streams_own_deadline_ends_it() {
    // Far shorter than the stream's: what limits a request does not limit the stream.
    let setup = Setup::pair("linear_g", "linear_h").text("server.max_request_time", "1s");
    let server = TestServer::start(setup).await;
    let timeout = std::time::Duration::from_secs(3);
    let mut stream =
        PredictStreamClient::open_with(server.client().await, |request| request.set_timeout(timeout)).await;
    stream.send(ask(1));
    assert_answers(stream.next_outcome().await.unwrap(), 1);
    tokio::time::sleep(timeout / 2).await;
    stream.send(ask(2));
    assert_answers(stream.next_outcome().await.unwrap(), 2);
    let end = stream.end_status().await;
    assert_eq!(end.code(), Code::DeadlineExceeded, "{end:?}");
    assert!(end.message().contains("grpc-timeout"), "{end:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_timeout_that_is_none_is_told() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h")).await;
    let mut request = tonic::Request::new(tokio_stream::empty());
    request.metadata_mut().insert("grpc-timeout", "soon".parse().unwrap());
    let refused = server.client().await.predict_stream(request).await.unwrap_err();
    assert_eq!(violated_fields(&refused), ["grpc-timeout"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_caller_that_has_no_more_to_ask_gets_every_answer() {
    let server = TestServer::start(slow()).await;
    let stream = PredictStreamClient::open(server.client().await).await;
    for number in 0..5 {
        stream.send(ask(number));
    }
    let mut answers = stream.close();
    for number in 0..5 {
        assert_answers(next_outcome(&mut answers).await.unwrap(), number);
    }
    assert!(next_outcome(&mut answers).await.unwrap().is_none());
    let mut nothing = PredictStreamClient::open(server.client().await).await.close();
    assert!(next_outcome(&mut nothing).await.unwrap().is_none());
}

/// Bytes over the limit cannot be answered in their place: they end the stream, after what was before them.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_message_over_the_limit_ends_the_stream() {
    let setup = slow().with("server.max_message_bytes", 1024);
    let server = TestServer::start(setup).await;
    let mut stream = PredictStreamClient::open(server.client().await).await;
    stream.send(ask(1));
    stream.send(messages::predict_request(floats(&[[0.5; 4]; 64])));
    assert_answers(stream.next_outcome().await.unwrap(), 1);
    let end = stream.end_status().await;
    assert_eq!(end.code(), Code::ResourceExhausted, "{end:?}");
    assert!(end.message().contains("1024"), "{end:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_than_the_window_is_under_way() {
    const ROOM: usize = 8;
    let setup = slow()
        .with("server.max_inputs", ROOM)
        .with("scheduler.queue_rows", ROOM)
        .with("server.stream_window", 3);
    let server = TestServer::start(setup).await;
    let mut stream = PredictStreamClient::open(server.client().await).await;
    let mut probe = server.client().await;
    for number in 0..60 {
        stream.send(ask(number));
    }
    assert_answers(stream.next_outcome().await.unwrap(), 0);
    let mut most = 0;
    for _ in 1..50 {
        most = most.max(admitted(&mut probe, ROOM).await);
        // One that met the probe in the queue is refused, which changes nothing here.
        stream.next_outcome().await.unwrap().unwrap();
    }
    assert_eq!(most, 3);
}

/// Its finished answers wait for it; the queue is free for others, on another stream of the same connection too.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_caller_that_does_not_read_holds_up_only_itself() {
    let setup = slow()
        .with("server.max_inputs", 4)
        .with("scheduler.queue_rows", 4)
        .with("server.stream_window", 4);
    let server = TestServer::start(setup).await;
    let narrow = server.narrow_channel().await;
    let mut unread = PredictStreamClient::open(Client::new(narrow.clone())).await;
    for number in 0..100 {
        unread.send(ask(number));
    }
    // From here on it has the queue, until a window of answers waits for it.
    assert_answers(unread.next_outcome().await.unwrap(), 0);
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
            .expect("an unread stream holds the queue");
    }
    // The last ones were not even read: they are answered now.
    for number in 1..100 {
        assert_answers(unread.next_outcome().await.unwrap(), number);
    }
}

/// An hour to drain: only because nothing is under way does it stop at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_idle_stream_does_not_hold_up_a_server_that_stops() {
    let setup = Setup::pair("linear_g", "linear_h").text("server.drain_timeout", "1h");
    let mut server = TestServer::start(setup).await;
    let mut idle = PredictStreamClient::open(server.client().await).await;
    let mut silent = PredictStreamClient::open(server.client().await).await;
    idle.send(ask(1));
    assert_answers(idle.next_outcome().await.unwrap(), 1);
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
async fn what_was_read_before_the_stop_is_answered() {
    const ROOM: usize = 32;
    let setup = slow()
        .with("server.max_inputs", ROOM)
        .with("scheduler.queue_rows", ROOM)
        .text("server.drain_timeout", "1h");
    let mut server = TestServer::start(setup).await;
    let mut stream = PredictStreamClient::open(server.client().await).await;
    let mut probe = server.client().await;
    for number in 0..200 {
        stream.send(ask(number));
    }
    assert_answers(stream.next_outcome().await.unwrap(), 0);
    let mut in_flight = 0;
    let busy = async {
        while in_flight < 8 {
            in_flight = admitted(&mut probe, ROOM).await;
        }
    };
    tokio::time::timeout(TEST_TIMEOUT, busy)
        .await
        .expect("too little is under way");
    server.begin_stop();
    let mut answered = 1;
    let end = loop {
        match stream.next_outcome().await {
            Ok(outcome) => assert_answers(outcome, answered),
            Err(end) => break end,
        }
        answered += 1;
    };
    assert_eq!(end.code(), Code::Unavailable, "{end:?}");
    assert!((9..200).contains(&answered), "{answered} were answered");
    drop((stream, probe));
    server.stop().await.unwrap();
}

/// A frame of a few bytes for each of thousands of requests that wait behind a full window: h2 has a budget for those, and must not
/// take the connection with all that is under way on it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn small_requests_that_wait_their_turn_do_not_end_the_connection() {
    const SMALL: usize = 2600;
    const ROWS: usize = 200;
    let setup = slow().with("server.stream_window", 1).with("server.max_inputs", ROWS);
    let server = TestServer::start(setup).await;
    let mut stream = PredictStreamClient::open(server.client().await).await;
    // Rows of some 20 ms: longer than the small ones take to come in.
    stream.send(messages::predict_request(floats(&[[0.5; 4]; ROWS])));
    for _ in 0..SMALL {
        stream.send_message(PredictStreamRequest::default());
        // A frame of its own.
        tokio::time::sleep(std::time::Duration::from_micros(100)).await;
    }
    stream.next_outcome().await.unwrap().unwrap();
    for _ in 0..SMALL {
        let error = stream.next_error().await;
        assert_eq!(error.violations[0].field, "request", "{error:?}");
    }
}
