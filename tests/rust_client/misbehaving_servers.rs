//! Servers that refuse, contradict themselves, or say nothing.

use std::time::Duration;

use certimix::rpc::proto::{Certificate, CertifyStreamResponse, PredictResponse, Prediction};
use certimix_client::{CertifyOptions, Client, Error, ErrorKind, Norm, PredictOptions, RetryPolicy};
use tonic::Status;

use crate::support::inputs::{PATIENCE, batch, clear_input, patient};
use crate::support::scripted_server::{Script, ScriptedServer, busy};

const PUSHBACK: Duration = Duration::from_millis(200);

fn certified(radius: f64) -> Prediction {
    Prediction {
        label: "left".to_owned(),
        mixed_logits: vec![-0.1, -3.0],
        class_source: 1,
        certificate: Some(Certificate {
            status: 1,
            radius,
            norm: 2,
            basis: 1,
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn answering(predictions: Vec<Prediction>) -> Script {
    Script {
        predict: PredictResponse {
            predictions,
            ..Default::default()
        },
        ..Default::default()
    }
}

fn refusing(refusals: Vec<Status>) -> ScriptedServer {
    ScriptedServer::start(Script {
        refusals,
        ..Default::default()
    })
}

async fn client(server: &ScriptedServer) -> Client {
    patient(&server.address).connect().await.unwrap()
}

#[tokio::test]
async fn the_client_waits_as_long_as_the_server_asks() {
    let server = refusing(vec![busy(PUSHBACK); 2]);
    assert_eq!(client(&server).await.info().await.unwrap().labels, ["left"]);
    let times = server.times.lock().unwrap().clone();
    assert_eq!(times.len(), 3);
    // A lower bound: the clock of the test may only make a wait longer.
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= PUSHBACK), "{times:?}");
}

#[tokio::test]
async fn a_refusal_is_not_repeated_beyond_the_deadline() {
    let server = refusing(vec![busy(2 * PATIENCE); 9]);
    let error = client(&server).await.info().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry_after()),
        (ErrorKind::ResourceExhausted, Some(2 * PATIENCE))
    );
    assert_eq!(server.calls(), 1);
}

#[tokio::test]
async fn attempts_are_bounded() {
    for refusal in [busy(Duration::from_millis(1)), Status::unavailable("loading")] {
        let server = refusing(vec![refusal.clone(); 9]);
        let retry = RetryPolicy::new(3, Duration::from_millis(1), Duration::from_millis(2)).unwrap();
        let client = patient(&server.address).retry(retry).connect().await.unwrap();
        let error = client.info().await.unwrap_err();
        assert_eq!(error.code(), Some(refusal.code()));
        assert_eq!(server.calls(), 3);
    }
}

#[tokio::test]
async fn an_unavailable_server_is_asked_again_and_another_error_is_not_repeated() {
    let server = refusing(vec![Status::unavailable("loading"); 2]);
    assert_eq!(client(&server).await.info().await.unwrap().labels, ["left"]);
    assert_eq!(server.calls(), 3);
    for refusal in [
        Status::internal("failed"),
        Status::unauthenticated("no"),
        Status::resource_exhausted("large"),
    ] {
        let server = refusing(vec![refusal.clone(); 9]);
        assert_eq!(
            client(&server).await.info().await.unwrap_err().code(),
            Some(refusal.code())
        );
        assert_eq!(server.calls(), 1);
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_costs_no_more_than_the_deadline() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let client = Client::builder(address).deadline(PUSHBACK).connect_lazy().unwrap();
    for error in [
        client.predict(&clear_input()).await.unwrap_err(),
        client.predict_stream().predict(&clear_input()).await.unwrap_err(),
        client
            .certify_stream(&clear_input(), &CertifyOptions::default())
            .await
            .unwrap_err(),
        client.info().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::DeadlineExceeded, "{error}");
        assert!(
            error.message().starts_with("no answer came within the deadline"),
            "{error}"
        );
    }
}

/// The outcomes of every call that returns one answer.
async fn outcomes(client: &Client) -> Vec<Result<bool, Error>> {
    let (input, options) = (clear_input(), CertifyOptions::default());
    let stream = client.predict_stream();
    let outcomes = [
        client.predict(&input).await,
        stream.predict(&input).await,
        client.certify(&input, &options).await,
    ];
    let certified = outcomes.map(|outcome| outcome.map(|answer| answer.certified_beyond(0.1, Norm::L2)));
    certified.into()
}

#[tokio::test]
async fn a_malformed_answer_is_an_error_of_every_call() {
    let good = ScriptedServer::start(answering(vec![certified(0.25)]));
    for outcome in outcomes(&client(&good).await).await {
        assert!(outcome.unwrap());
    }
    let other_class = Prediction {
        class_index: 2,
        ..certified(0.25)
    };
    let wrong = [
        vec![certified(f64::NAN)],
        vec![certified(0.0)],
        vec![certified(f64::INFINITY)],
        vec![other_class],
        vec![],
        vec![certified(0.25), certified(0.25)],
    ];
    for predictions in wrong {
        let server = ScriptedServer::start(answering(predictions.clone()));
        for outcome in outcomes(&client(&server).await).await {
            assert_eq!(
                outcome.unwrap_err().kind(),
                ErrorKind::MalformedAnswer,
                "{predictions:?}"
            );
        }
    }
    let one = ScriptedServer::start(answering(vec![certified(0.25)]));
    let error = client(&one)
        .await
        .predict_batch(&batch(), &PredictOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.message(), "expected 2 predictions, found 1");
}

#[tokio::test]
async fn a_certificate_that_grows_must_have_an_end() {
    let message = |radius, r#final| CertifyStreamResponse {
        prediction: Some(certified(radius)),
        r#final,
        ..Default::default()
    };
    let script = |certify_stream| Script {
        certify_stream,
        ..Default::default()
    };
    for (messages, answers) in [
        (vec![message(0.1, false), message(0.2, false)], 2),
        (vec![message(0.1, false), message(f64::NAN, true)], 1),
    ] {
        let server = ScriptedServer::start(script(messages));
        let client = client(&server).await;
        let mut stream = client
            .certify_stream(&clear_input(), &CertifyOptions::default())
            .await
            .unwrap();
        for _ in 0..answers {
            assert!(stream.next().await.unwrap().is_some());
        }
        assert_eq!(stream.next().await.unwrap_err().kind(), ErrorKind::MalformedAnswer);
        assert!(stream.next().await.unwrap().is_none());
    }
    let server = ScriptedServer::start(script(vec![]));
    let options = CertifyOptions::default();
    let error = client(&server)
        .await
        .certify_stream(&clear_input(), &options)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MalformedAnswer);
}

#[tokio::test]
async fn a_request_whose_stream_ends_is_sent_again_on_another() {
    let server = ScriptedServer::start(Script {
        ended_streams: 2,
        ..answering(vec![certified(0.25)])
    });
    let stream = client(&server).await.predict_stream();
    for requests in [3, 4] {
        assert!(
            stream
                .predict(&clear_input())
                .await
                .unwrap()
                .certified_beyond(0.1, Norm::L2)
        );
        assert_eq!(server.calls(), requests);
    }
    let ending = ScriptedServer::start(Script {
        ended_streams: 9,
        ..answering(vec![certified(0.25)])
    });
    let error = client(&ending)
        .await
        .predict_stream()
        .predict(&clear_input())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert_eq!(ending.calls(), 4);
}

#[tokio::test]
async fn a_stream_is_bounded_in_its_requests() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let client = patient(&address).retry(RetryPolicy::NEVER).connect_lazy().unwrap();
    let stream = std::sync::Arc::new(client.predict_stream());
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..70 {
        let stream = std::sync::Arc::clone(&stream);
        calls.spawn(async move { stream.predict(&clear_input()).await.unwrap_err() });
    }
    for _ in 0..70 - 64 {
        let error = calls.join_next().await.unwrap().unwrap();
        assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{error}");
        assert!(error.retry_after().is_some());
    }
    assert_eq!(calls.len(), 64);
}
