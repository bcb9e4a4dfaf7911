//! PredictStream sends one outcome for each request, in order, with errors in place.

use certimix::rpc::proto::predict_stream_response::Outcome;
use certimix::rpc::proto::{PredictRequest, PredictStreamRequest, Tensor};
use tonic::Code;

use super::numbered_requests::{assert_response, request, slow_setup};
use crate::support::messages::{floats, violated_fields};
use crate::support::predict_stream::{PredictStreamClient, next_outcome};
use crate::support::{Setup, TestServer, messages};

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

/// Both a response and an error carry the number of their request.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_correlation_id_comes_back_with_each_outcome() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h")).await;
    let stream = PredictStreamClient::open(server.client().await).await;
    let ids = [7, u64::MAX, 0, 7];
    for (position, correlation_id) in ids.into_iter().enumerate() {
        stream.send_message(PredictStreamRequest {
            request: (position != 1).then(|| request(1)),
            correlation_id,
            ..Default::default()
        });
    }
    let mut responses = stream.close();
    for (position, correlation_id) in ids.into_iter().enumerate() {
        let message = responses.message().await.unwrap().expect("a response");
        assert_eq!(message.correlation_id, correlation_id);
        assert_eq!(matches!(message.outcome, Some(Outcome::Error(_))), position == 1);
    }
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
