//! Changes of the configuration while something goes on, on the real binary: each answer is of one revision, and none is lost.

use std::time::Instant;

use certimix::rpc::proto::{PredictResponse, Provenance};
use tonic::Code;
use tonic::transport::Endpoint;

use crate::services::health::{manifest_to_come, write_manifest};
use crate::support::editable_server::EditableServer;
use crate::support::messages::{CLEAR_INPUT, certify_with_votes, floats, predict_request};
use crate::support::predict_stream::PredictStreamClient;
use crate::support::process::ServerProcess;
use crate::support::reference_formulas::{assert_close, g_logits, h_logits, mixed_logits, softmax};
use crate::support::server::{Client, TEST_TIMEOUT};
use crate::support::{Setup, fixture};

const INPUT: [f32; 4] = [0.3, -0.2, 0.1, 0.4];

fn provenance(response: &PredictResponse) -> &Provenance {
    response.provenance.as_ref().unwrap()
}

/// The answer is the mixture with the alpha that it names.
fn alpha(response: &PredictResponse) -> f64 {
    let alpha = provenance(response).alpha;
    let (g, h) = (softmax(&g_logits(INPUT)), softmax(&h_logits(INPUT)));
    assert_close(
        &response.predictions[0].mixed_logits,
        &mixed_logits(alpha, &g, &h),
        1e-5,
    );
    alpha
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_one_stream_are_each_of_one_revision_and_later_ones_of_the_new() {
    let server = EditableServer::start(Setup::pair("linear_g", "linear_h").with("mixture.alpha", 0.5));
    let mut stream = PredictStreamClient::open(server.client().await).await;
    let mut before = String::new();
    for step in 0..10 {
        let wanted = 0.5 + f64::from(step) / 32.0;
        if step > 0 {
            // Some come before the change, some after it, and some while it happens.
            for _ in 0..20 {
                stream.send(predict_request(floats(&[INPUT])));
            }
            server.set("mixture.alpha", wanted);
            let mut last = wanted - 1.0 / 32.0;
            for _ in 0..20 {
                let found = alpha(&stream.next_response().await);
                assert!(found >= last && found <= wanted, "{found} after {last}");
                last = found;
            }
        }
        stream.send(predict_request(floats(&[INPUT])));
        let response = stream.next_response().await;
        assert_eq!(alpha(&response), wanted);
        let revision = provenance(&response).config_revision.clone();
        assert_ne!(revision, before);
        before = revision;
    }
}

/// By the socket's file, which is known before the server is ready.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_came_too_early_goes_on_when_the_models_are_there() {
    let (setup, pipe) = manifest_to_come(Setup::pair("linear_g", "linear_h"));
    let setup = setup.text("server.unix_socket", "certimix.sock");
    let server = ServerProcess::spawn(&setup.write());
    let socket = format!("unix:{}", setup.folder().join("certimix.sock").display());
    let began = Instant::now();
    let channel = loop {
        match Endpoint::from_shared(socket.clone())
            .unwrap()
            .timeout(TEST_TIMEOUT)
            .connect()
            .await
        {
            Ok(channel) => break channel,
            Err(error) => assert!(began.elapsed() < TEST_TIMEOUT, "{error}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    };
    let mut stream = PredictStreamClient::open(Client::new(channel)).await;
    for _ in 0..2 {
        stream.send(predict_request(floats(&[INPUT])));
        let error = stream.next_error().await;
        assert_eq!(error.code, i32::from(Code::Unavailable), "{error:?}");
    }
    write_manifest(pipe).await;
    server.address();
    stream.send(predict_request(floats(&[INPUT])));
    assert_eq!(stream.next_response().await.predictions.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn models_that_are_replaced_answer_what_they_have_and_end() {
    const EXECUTORS: usize = 2;
    let setup = Setup::pair("linear_g", "slow_smoothed")
        .batch_size(1)
        .with("runtime.executors", EXECUTORS)
        .with("certificate.max_votes", 100_000)
        .text("server.max_request_time", "1h");
    let server = EditableServer::start(setup);
    // A thread takes its name, and is gone, a moment after it is said to have begun or ended.
    let until_threads = async |expected: usize| {
        let began = Instant::now();
        while server.process.threads("executor-") != expected {
            assert!(
                began.elapsed() < TEST_TIMEOUT,
                "{} threads",
                server.process.threads("executor-")
            );
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    until_threads(EXECUTORS).await;
    let mut client = server.client().await;
    let standard = async |client: &mut Client| {
        let answer = client
            .predict(predict_request(floats(&[CLEAR_INPUT])))
            .await
            .unwrap()
            .into_inner();
        answer.provenance.unwrap().standard_model_sha256
    };
    let old = standard(&mut client).await;
    // Longer than the models that replace these take to load and to pass their self-test, beside those votes.
    let asked: Vec<_> = (0..4)
        .map(|_| {
            let mut client = client.clone();
            tokio::spawn(async move { client.certify(certify_with_votes(floats(&[CLEAR_INPUT]), 600)).await })
        })
        .collect();
    let rows = r#"certimix_admitted_rows{model="robust"}"#;
    crate::support::scrape::Scrape::poll_until(server.metrics, |found| found.value(rows) >= 4.0);
    server.set_text("models.standard", fixture("slow_g").to_str().unwrap());
    assert!(
        !asked.iter().any(|asked| asked.is_finished()),
        "nothing was in flight any more: the test shows nothing"
    );
    let new = standard(&mut client).await;
    assert_ne!(old, new);
    until_threads(2 * EXECUTORS).await;
    for answer in asked {
        let answer = answer.await.unwrap().expect("no request is lost").into_inner();
        assert_eq!(answer.provenance.unwrap().standard_model_sha256, old);
        assert_eq!(answer.predictions.len(), 1);
    }
    server.process.line_with("replaced models unloaded");
    until_threads(EXECUTORS).await;
    assert_eq!(standard(&mut client).await, new);
}
