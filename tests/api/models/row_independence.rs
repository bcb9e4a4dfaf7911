//! No row's answer depends on the rows beside it: a model that is not proven row by row runs one row at a time, and one that
//! draws random numbers is refused.

use certimix::app::AppError;
use certimix::classifier::LoadError;
use certimix::onnx::OnnxError;
use certimix::rpc::proto::{GetModelInfoRequest, Prediction};

use crate::support::messages::{CLEAR_INPUT, floats};
use crate::support::{Setup, TestServer, messages};

/// Inputs that move a scale, or trade places with those of `CLEAR`.
const OTHERS: [[f32; 4]; 3] = [[-1.0, 1.0, 1.0, 1.0], [0.01, -0.02, 0.03, 0.5], [0.0; 4]];

/// What `CLEAR` is answered by itself, and in every place among the others.
async fn alone_and_beside(setup: Setup) -> (Prediction, Vec<Prediction>, [String; 2]) {
    let server = TestServer::start(setup).await;
    let mut client = server.client().await;
    let mut answer = async |rows: &[[f32; 4]]| {
        let answered = client.predict(messages::predict_request(floats(rows))).await.unwrap();
        answered.into_inner().predictions
    };
    let alone = answer(&[CLEAR_INPUT]).await.remove(0);
    let mut beside = Vec::new();
    for place in 0..=OTHERS.len() {
        let mut rows = OTHERS.to_vec();
        rows.insert(place, CLEAR_INPUT);
        beside.push(answer(&rows).await.remove(place));
    }
    let info = client
        .get_model_info(GetModelInfoRequest {})
        .await
        .unwrap()
        .into_inner();
    let reasons = [info.standard, info.robust].map(|model| model.unwrap().one_row_reason);
    (alone, beside, reasons)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_answer_does_not_depend_on_the_inputs_beside_it() {
    for (standard, robust, seen, why) in [
        ("linear_g", "reshaped_h", 1, "Reshape"),
        ("linear_g", "quantised_h", 1, "DynamicQuantizeLinear"),
        ("quantised_g", "linear_h", 0, "DynamicQuantizeLinear"),
    ] {
        let (alone, beside, reasons) = alone_and_beside(Setup::pair(standard, robust).batch_size(4)).await;
        for (place, prediction) in beside.iter().enumerate() {
            assert_eq!(*prediction, alone, "{standard} with {robust}, place {place}");
        }
        assert!(reasons[seen].contains(why), "{reasons:?}");
        assert_eq!(reasons[1 - seen], "");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_model_that_answers_at_random_is_refused() {
    for (standard, robust, why) in [
        ("linear_g", "dropout_h", "Dropout"),
        ("random_g", "linear_h", "RandomNormalLike"),
    ] {
        let mut server = TestServer::listen(Setup::pair(standard, robust));
        assert!(!server.ready().await);
        let error = server.stop().await.unwrap_err();
        let nondeterministic = matches!(
            error,
            AppError::Load(LoadError::Onnx(OnnxError::Nondeterministic { .. }))
        );
        assert!(nondeterministic && error.to_string().contains(why), "{error:?}");
    }
}
