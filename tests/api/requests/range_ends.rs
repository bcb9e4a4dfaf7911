//! A FLOAT32 value equal to an end of the input range in float32 is in the range.

use tonic::Code;

use crate::support::messages::{floats, predict_request};
use crate::support::model_infer::{self, row_request, typed_request};
use crate::support::{Setup, TestServer};
use certimix::rpc::open_inference::proto::InferTensorContents;

/// The float32 values of both ends lie outside the range.
const RANGE: [(&str, &str); 1] = [("range = [-1.0, 1.0]", "range = [-0.1, 0.1]")];
const ENDS: [f32; 4] = [0.1, -0.1, -0.1, 0.1];

fn setup() -> Setup {
    Setup::pair("linear_g", "linear_h")
        .edited("models.standard", "linear_g", &RANGE)
        .edited("models.robust", "linear_h", &RANGE)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_float32_values_of_the_ends_are_accepted() {
    let server = TestServer::start(setup()).await;
    let mut client = server.client().await;
    assert!(ENDS.iter().all(|end| f64::from(end.abs()) > 0.1));
    // The models read the last values inside: the answer is theirs.
    let inside = ENDS.map(|end| end.signum() * end.abs().next_down());
    let mut predict = async |row| {
        let response = client.predict(predict_request(floats(&[row]))).await.unwrap();
        response.into_inner().predictions.remove(0)
    };
    let (at_ends, at_inside) = (predict(ENDS).await, predict(inside).await);
    assert_eq!(at_ends, at_inside);

    let mut open_inference = model_infer::client(&server).await;
    open_inference.model_infer(row_request(&[ENDS])).await.unwrap();
    let contents = InferTensorContents {
        fp32_contents: ENDS.to_vec(),
        ..Default::default()
    };
    let typed = typed_request("FP32", &[1, 4], Some(contents));
    open_inference.model_infer(typed).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_next_value_is_refused_with_all_its_digits() {
    let server = TestServer::start(setup()).await;
    let outside = [0.0, 0.1_f32.next_up(), f32::NAN, 0.0];
    let status = server
        .client()
        .await
        .predict(predict_request(floats(&[outside])))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let message = status.message();
    assert!(
        message.contains("from -0.1 to 0.1; 2 are not, the first is 0.10000001 at index 1"),
        "{message}"
    );
    let mut open_inference = model_infer::client(&server).await;
    let status = open_inference.model_infer(row_request(&[outside])).await.unwrap_err();
    assert!(status.message().contains("0.10000001"), "{status}");
}
