//! Configuration changes while requests are in flight, on the real binary: each response belongs to
//! one revision, and none is lost.

use std::time::Instant;

use certimix::rpc::proto::{PredictResponse, Provenance};

use crate::support::editable_server::EditableServer;
use crate::support::messages::{CLEAR_INPUT, certify_with_votes, floats, predict_request};
use crate::support::predict_stream::PredictStreamClient;
use crate::support::reference_formulas::{assert_close, g_logits, h_logits, mixed_logits, softmax};
use crate::support::server::{Client, TEST_TIMEOUT};
use crate::support::{Setup, fixture};

const INPUT: [f32; 4] = [0.3, -0.2, 0.1, 0.4];

fn provenance(response: &PredictResponse) -> &Provenance {
    response.provenance.as_ref().unwrap()
}

/// Checks that the response mixes with the alpha of its provenance, and returns that alpha.
fn checked_alpha(response: &PredictResponse) -> f64 {
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
async fn each_message_of_a_stream_belongs_to_one_revision() {
    let server = EditableServer::start(Setup::pair("linear_g", "linear_h").with("mixture.alpha", 0.5));
    let mut stream = PredictStreamClient::open(server.client().await).await;
    let mut before = String::new();
    for step in 0..10 {
        let expected = 0.5 + f64::from(step) / 32.0;
        if step > 0 {
            // Some requests arrive before the change, some during it and some after it.
            for _ in 0..20 {
                stream.send(predict_request(floats(&[INPUT])));
            }
            server.set("mixture.alpha", expected);
            let mut last = expected - 1.0 / 32.0;
            for _ in 0..20 {
                let found = checked_alpha(&stream.next_response().await);
                assert!(found >= last && found <= expected, "{found} after {last}");
                last = found;
            }
        }
        stream.send(predict_request(floats(&[INPUT])));
        let response = stream.next_response().await;
        assert_eq!(checked_alpha(&response), expected);
        let revision = provenance(&response).config_revision.clone();
        assert_ne!(revision, before);
        before = revision;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replaced_models_finish_their_requests_and_end() {
    const EXECUTORS: usize = 2;
    let setup = Setup::pair("linear_g", "slow_smoothed")
        .batch_size(1)
        .with("runtime.executors", EXECUTORS)
        .with("certificate.max_votes", 100_000)
        .text("server.max_request_time", "1h");
    let server = EditableServer::start(setup);
    // A thread gets its name, and disappears, shortly after the server reports its start or end.
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
    let standard_sha256 = async |client: &mut Client| {
        let response = client
            .predict(predict_request(floats(&[CLEAR_INPUT])))
            .await
            .unwrap()
            .into_inner();
        response.provenance.unwrap().standard_model_sha256
    };
    let old = standard_sha256(&mut client).await;
    // The votes take longer than the load and the self-test of the replacing models.
    let calls: Vec<_> = (0..4)
        .map(|_| {
            let mut client = client.clone();
            tokio::spawn(async move { client.certify(certify_with_votes(floats(&[CLEAR_INPUT]), 600)).await })
        })
        .collect();
    let rows = r#"certimix_admitted_rows{model="robust"}"#;
    crate::support::scrape::Scrape::poll_until(server.metrics, |found| found.value(rows) >= 4.0);
    server.set_text("models.standard", fixture("slow_g").to_str().unwrap());
    assert!(
        !calls.iter().any(|calls| calls.is_finished()),
        "no request was in flight, so this tests nothing"
    );
    let new = standard_sha256(&mut client).await;
    assert_ne!(old, new);
    until_threads(2 * EXECUTORS).await;
    for response in calls {
        let response = response.await.unwrap().expect("no request fails").into_inner();
        assert_eq!(response.provenance.unwrap().standard_model_sha256, old);
        assert_eq!(response.predictions.len(), 1);
    }
    server.process.line_with("replaced models unloaded");
    until_threads(EXECUTORS).await;
    assert_eq!(standard_sha256(&mut client).await, new);
}
