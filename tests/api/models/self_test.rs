//! The self-test of a model at start-up.
//!
//! If the result of a row depended on the other rows, one caller's data would change another
//! caller's response. Such a model runs one row at a time, or not at all.

use certimix::app::AppError;
use certimix::classifier::LoadError;
use certimix::rpc::proto::{CertificateStatus, GetModelInfoRequest, Prediction};

use crate::support::messages::{certificate, floats};
use crate::support::{Setup, TestServer, messages};

const X: [f32; 4] = [0.5, 0.25, -0.5, 0.125];
const OTHER_ROWS: [[f32; 4]; 3] = [[1.0; 4], [-1.0; 4], [0.75, -0.75, 0.0, 1.0]];

/// Returns the error that ends the start-up, and its message.
async fn refusal(setup: Setup) -> (AppError, String) {
    let mut server = TestServer::listen(setup);
    assert!(!server.ready().await);
    let error = server.stop().await.unwrap_err();
    let message = error.to_string();
    (error, message)
}

async fn predictions(server: &TestServer, rows: &[[f32; 4]]) -> Vec<Prediction> {
    let request = messages::predict_request(floats(rows));
    server
        .client()
        .await
        .predict(request)
        .await
        .unwrap()
        .into_inner()
        .predictions
}

/// Checks that the models run one row at a time, and that the prediction for [`X`] does not depend
/// on the other rows.
async fn assert_one_row_at_a_time(setup: Setup) -> Prediction {
    let server = TestServer::start(setup).await;
    let info = server.client().await.get_model_info(GetModelInfoRequest {}).await;
    assert_eq!(info.unwrap().into_inner().robust.unwrap().max_batch_size, 1);
    let alone = predictions(&server, &[X]).await.remove(0);
    let in_batch = predictions(&server, &[&[X][..], &OTHER_ROWS].concat()).await.remove(0);
    assert_eq!(alone.mixed_logits, in_batch.mixed_logits);
    assert_eq!(certificate(&alone).radius, certificate(&in_batch).radius);
    alone
}

/// The model subtracts the mean of the batch from each row. It once ran in batches, and was refused
/// only because it was a smoothed model.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_smoothed_model_that_uses_the_batch_mean_runs_one_row_at_a_time() {
    let server = TestServer::start(Setup::pair("linear_g", "batch_mean_h").batch_size(4)).await;
    let info = server.client().await.get_model_info(GetModelInfoRequest {}).await;
    assert_eq!(info.unwrap().into_inner().robust.unwrap().max_batch_size, 1);
    assert_eq!(certificate(&predictions(&server, &[X]).await[0]).caveat, "");
}

/// The model computes a softmax over all rows. Each row sums to 1/N in a batch of N, and to 1
/// alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_softmax_over_the_batch_runs_one_row_at_a_time() {
    let found = assert_one_row_at_a_time(Setup::pair("linear_g", "batch_softmax_h").batch_size(4)).await;
    let server = TestServer::start(Setup::pair("linear_g", "softmax_h").batch_size(4)).await;
    let truth = predictions(&server, &[X]).await.remove(0);
    assert_eq!(found.class_index, truth.class_index);
    assert!((certificate(&found).radius - certificate(&truth).radius).abs() < 1e-5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_required_row_independence_refuses_such_models() {
    for robust in ["batch_mean_h", "batch_softmax_h"] {
        let setup = Setup::pair("linear_g", robust)
            .batch_size(4)
            .with("runtime.require_row_independence", true);
        let (_, message) = refusal(setup).await;
        assert!(message.contains("runtime.require_row_independence"), "{message}");
    }
}

/// The model outputs [K, N] values instead of [N, K], which are equally many.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_transposed_output_is_refused() {
    for batch in [1, 3, 4] {
        for (standard, robust) in [("linear_g", "transposed_h"), ("transposed_h", "linear_h")] {
            let (_, message) = refusal(Setup::pair(standard, robust).batch_size(batch)).await;
            assert!(message.contains("[1, 3]") && message.contains("[3, 1]"), "{message}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_model_that_overflows_on_every_row_is_refused() {
    for (standard, robust) in [
        ("overflow_g", "linear_h"),
        ("linear_g", "overflow_h"),
        ("linear_g", "overflow_smoothed"),
    ] {
        let (error, message) = refusal(Setup::pair(standard, robust)).await;
        assert!(matches!(error, AppError::Load(LoadError::Invalid(_))), "{error:?}");
        assert!(message.contains("overflow") && message.contains("float16"), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_exact_model_needs_no_permission_and_gets_no_caveat() {
    for (standard, robust) in [("steep_g", "half_space"), ("linear_g", "linear_h")] {
        let setup = Setup::pair(standard, robust).with("certificate.allow_inexact_runtime", true);
        let server = TestServer::start(setup).await;
        let found = predictions(&server, &[[0.5; 4]]).await.remove(0);
        assert_eq!(certificate(&found).caveat, "");
        assert_ne!(certificate(&found).status(), CertificateStatus::Unavailable);
    }
}
