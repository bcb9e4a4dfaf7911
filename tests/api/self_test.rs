//! A model whose answer for a row depends on the other rows is no function: no smoothed certificate without a caveat.

use certimix::app::AppError;
use certimix::classifier::LoadError;

use crate::support::wire::{certificate, certify_with, floats};
use crate::support::{Setup, TestServer, wire};

fn setup() -> Setup {
    Setup::pair("linear_g", "batch_mates_h").batch_size(4)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn batch_mates_that_matter_are_refused() {
    let mut server = TestServer::listen(setup());
    assert!(!server.ready().await);
    let error = server.stop().await.unwrap_err();
    assert!(matches!(error, AppError::Load(LoadError::Inexact(_))), "{error:?}");
    let message = error.to_string();
    for advice in ["self-test failed", "certificate.allow_inexact_runtime", "place"] {
        assert!(message.contains(advice), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn by_the_operators_leave_every_certificate_carries_a_caveat() {
    let server = TestServer::start(setup().with("certificate.allow_inexact_runtime", true)).await;
    let mut client = server.client().await;
    let predicted = client
        .predict(wire::predict(floats(&[[0.5; 4], [0.0; 4]])))
        .await
        .unwrap()
        .into_inner();
    let certified = client
        .certify(certify_with(floats(&[[0.5; 4]]), 100))
        .await
        .unwrap()
        .into_inner();
    let mut stream = client
        .certify_stream(certify_with(floats(&[[0.5; 4]]), 100))
        .await
        .unwrap()
        .into_inner();
    let streamed = stream.message().await.unwrap().unwrap().prediction.unwrap();
    for prediction in predicted
        .predictions
        .iter()
        .chain(&certified.predictions)
        .chain([&streamed])
    {
        let caveat = &certificate(prediction).caveat;
        assert!(
            caveat.contains("not exact") && caveat.contains("operator"),
            "\"{caveat}\""
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_exact_model_needs_no_leave_and_gets_no_caveat() {
    let setup = Setup::pair("steep_g", "half_space").with("certificate.allow_inexact_runtime", true);
    let server = TestServer::start(setup).await;
    let answer = server
        .client()
        .await
        .predict(wire::predict(floats(&[[0.5; 4]])))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(wire::certified(&answer.predictions[0]).caveat, "");
}
