//! A model whose answer for a row depends on the other rows runs one row at a time, so that it is a function of one row.

use certimix::rpc::proto::GetModelInfoRequest;

use crate::support::wire::{certificate, floats};
use crate::support::{Setup, TestServer, wire};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn batch_mates_that_matter_cost_the_batches_and_nothing_else() {
    let server = TestServer::start(Setup::pair("linear_g", "batch_mates_h").batch_size(4)).await;
    let mut client = server.client().await;
    let info = client
        .get_model_info(GetModelInfoRequest {})
        .await
        .unwrap()
        .into_inner();
    let (standard, robust) = (info.standard.unwrap(), info.robust.unwrap());
    assert_eq!((standard.max_batch_size, robust.max_batch_size), (4, 1));
    assert!(
        robust.one_row_reason.contains("ReduceMean"),
        "{}",
        robust.one_row_reason
    );
    let predicted = client
        .predict(wire::predict(floats(&[[0.5; 4], [0.0; 4]])))
        .await
        .unwrap();
    for prediction in predicted.into_inner().predictions {
        assert_eq!(certificate(&prediction).caveat, "");
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
