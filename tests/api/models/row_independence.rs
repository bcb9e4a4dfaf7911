//! The result of a row does not depend on the other rows of its batch.
//!
//! A model without a proof of row independence runs one row at a time. A model that draws random
//! numbers is refused.

use certimix::app::AppError;
use certimix::classifier::LoadError;
use certimix::rpc::proto::{GetModelInfoRequest, Prediction};

use crate::support::messages::{CLEAR_INPUT, floats};
use crate::support::{Setup, TestServer, messages};

/// Inputs that change the scale of a quantised batch, or that a wrong reshape exchanges with
/// `CLEAR_INPUT`.
const OTHERS: [[f32; 4]; 3] = [[-1.0, 1.0, 1.0, 1.0], [0.01, -0.02, 0.03, 0.5], [0.0; 4]];

/// Returns the prediction for `CLEAR_INPUT` alone, and at each place among the other inputs.
async fn alone_and_in_batch(setup: Setup) -> (Prediction, Vec<Prediction>, [String; 2]) {
    let server = TestServer::start(setup).await;
    let mut client = server.client().await;
    let mut predictions = async |rows: &[[f32; 4]]| {
        let response = client.predict(messages::predict_request(floats(rows))).await.unwrap();
        response.into_inner().predictions
    };
    let alone = predictions(&[CLEAR_INPUT]).await.remove(0);
    let mut in_batch = Vec::new();
    for place in 0..=OTHERS.len() {
        let mut rows = OTHERS.to_vec();
        rows.insert(place, CLEAR_INPUT);
        in_batch.push(predictions(&rows).await.remove(place));
    }
    let info = client
        .get_model_info(GetModelInfoRequest {})
        .await
        .unwrap()
        .into_inner();
    let reasons = [info.standard, info.robust].map(|model| model.unwrap().one_row_reason);
    (alone, in_batch, reasons)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_prediction_does_not_depend_on_the_other_inputs() {
    for (standard, robust, affected, why) in [
        ("linear_g", "reshaped_h", 1, "Reshape"),
        ("linear_g", "quantised_h", 1, "DynamicQuantizeLinear"),
        ("quantised_g", "linear_h", 0, "DynamicQuantizeLinear"),
    ] {
        let (alone, in_batch, reasons) = alone_and_in_batch(Setup::pair(standard, robust).batch_size(4)).await;
        for (place, prediction) in in_batch.iter().enumerate() {
            assert_eq!(*prediction, alone, "{standard} with {robust}, place {place}");
        }
        assert!(reasons[affected].contains(why), "{reasons:?}");
        assert_eq!(reasons[1 - affected], "");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_model_with_random_output_is_refused() {
    for (standard, robust, why) in [
        ("linear_g", "dropout_h", "Dropout"),
        ("random_g", "linear_h", "RandomNormalLike"),
    ] {
        let mut server = TestServer::listen(Setup::pair(standard, robust));
        assert!(!server.ready().await);
        let error = server.stop().await.unwrap_err();
        assert!(matches!(error, AppError::Load(LoadError::Invalid(_))), "{error:?}");
        let message = error.to_string();
        assert!(
            message.contains("is not a function of its input") && message.contains(why),
            "{message}"
        );
    }
}
