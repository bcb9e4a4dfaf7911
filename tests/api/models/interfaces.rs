//! Models of other exporters: other types, other axes, fixed batches, old and new versions of ONNX.
//!
//! Each fixture computes the function of `linear_g` or `image_g`, so its answers are known.

use certimix::rpc::proto::{GetModelInfoRequest, Prediction, Tensor};

use crate::support::messages::{CLEAR_INPUT, floats, predict_request, raw_floats};
use crate::support::process::fails;
use crate::support::{Setup, TestServer};

/// Multiples of 1/64, which every type of the fixtures but bytes holds exactly.
const INPUTS: [[f32; 4]; 4] = [
    CLEAR_INPUT,
    [-1.0, 1.0, 1.0, -1.0],
    [0.015_625, -0.5, 0.25, 1.0],
    [-0.25, 0.125, -0.75, 0.5],
];

struct Answers {
    together: Vec<Prediction>,
    alone: Vec<Prediction>,
    standard_rows: u32,
}

/// The predictions for `rows` of a server with these models, in one request and each in its own.
async fn answers(setup: Setup, together: Tensor, alone: Vec<Tensor>) -> Answers {
    let server = TestServer::start(setup).await;
    let mut client = server.client().await;
    let mut predict = async |inputs: Tensor| {
        let response = client.predict(predict_request(inputs)).await.unwrap();
        response.into_inner().predictions
    };
    let together = predict(together).await;
    let mut separate = Vec::new();
    for input in alone {
        separate.append(&mut predict(input).await);
    }
    let info = client.get_model_info(GetModelInfoRequest {}).await.unwrap();
    Answers {
        together,
        alone: separate,
        standard_rows: info.into_inner().standard.unwrap().max_batch_size,
    }
}

async fn linear_answers(standard: &str, inputs: &[[f32; 4]]) -> Answers {
    let setup = Setup::pair(standard, "linear_h").batch_size(4);
    let alone = inputs.iter().map(|&input| floats(&[input])).collect();
    answers(setup, floats(inputs), alone).await
}

#[track_caller]
fn assert_close(found: &[Prediction], expected: &[Prediction], tolerance: f64, name: &str) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.class_index, expected.class_index, "{name}");
        assert_eq!(found.certificate, expected.certificate, "{name}");
        for (left, right) in found.mixed_logits.iter().zip(&expected.mixed_logits) {
            let distance = f64::from((left - right).abs());
            assert!(distance <= tolerance, "{name}: {left} and {right}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn other_interfaces_give_the_answers_of_the_same_function() {
    let expected = linear_answers("linear_g", &INPUTS).await;
    for (name, rows) in [
        ("half_g", 4),
        ("double_g", 4),
        ("integers_g", 4),
        ("pooled_g", 4),
        ("two_outputs", 4),
        ("fixed_batch", 1),
        ("fixed_batch_3", 3),
        ("opset_9", 4),
        ("opset_25", 4),
        ("int8_weights", 4),
    ] {
        let found = linear_answers(name, &INPUTS).await;
        // Float16 rounds each logit to one part in 2,048.
        let tolerance = if name == "half_g" { 2e-3 } else { 1e-6 };
        assert_close(&found.together, &expected.together, tolerance, name);
        assert_close(&found.alone, &expected.together, tolerance, name);
        assert_eq!(found.standard_rows, rows, "{name}");
    }
}

/// The ends of the range are the bytes 0 and 255.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn bytes_stand_for_the_range() {
    let ends = [[-1.0, 1.0, 1.0, -1.0], [1.0, -1.0, -1.0, 1.0]];
    let expected = linear_answers("linear_g", &ends).await;
    let found = linear_answers("bytes_g", &ends).await;
    assert_close(&found.together, &expected.together, 1e-5, "bytes_g");
}

/// A run of three rows mixes them, so each row runs alone beside padding.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_fixed_batch_that_mixes_its_rows_runs_one_at_a_time() {
    let found = linear_answers("fixed_batch_mean", &INPUTS).await;
    assert_eq!(found.standard_rows, 1);
    assert_close(&found.together, &found.alone, 0.0, "fixed_batch_mean");
    let mut reversed = INPUTS;
    reversed.reverse();
    let mut again = linear_answers("fixed_batch_mean", &reversed).await.together;
    again.reverse();
    assert_close(&again, &found.together, 0.0, "fixed_batch_mean in another order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn channels_last_give_the_answers_of_channels_first() {
    let values: Vec<f32> = (0..2 * 3 * 8 * 8u16)
        .map(|index| f32::from(index * 37 % 256) / 255.0)
        .collect();
    let both = || raw_floats(&[2, 3, 8, 8], &values);
    let expected = answers(Setup::pair("image_g", "image_h"), both(), Vec::new()).await;
    let found = answers(Setup::pair("channels_last", "image_h"), both(), Vec::new()).await;
    assert_close(&found.together, &expected.together, 1e-6, "channels_last");
}

/// Smoothing holds for every function of a row, so for one with a conversion too.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_smoothed_model_may_take_another_type() {
    let guarantee = "kind = \"gaussian_smoothing\"\nnorm = \"l2\"\nsigma = 0.25\nlevels = 8192";
    let expected = smoothed("linear_g", guarantee).await;
    for name in ["double_g", "half_g", "integers_g", "fixed_batch"] {
        let found = smoothed(name, guarantee).await;
        assert_eq!(found.class_index, expected.class_index, "{name}");
        assert!(found.certificate.unwrap().votes > 0, "{name}");
    }
}

async fn smoothed(robust: &str, guarantee: &str) -> Prediction {
    let setup = Setup::pair("linear_g", "linear_h")
        .edited("models.robust", robust, &[("kind = \"none\"", guarantee)])
        .batch_size(4);
    answers(setup, floats(&[CLEAR_INPUT]), Vec::new())
        .await
        .together
        .remove(0)
}

/// A conversion that rounds would make a Lipschitz certificate false.
#[test]
fn a_lipschitz_guarantee_refuses_a_conversion_that_rounds() {
    let lipschitz = "kind = \"lipschitz_logits\"\nnorm = \"l2\"\nconstant = 4.0\nconstant_of = \"logit_vector\"\n\
                     logit_error_bound = 1e-5";
    for (name, expected) in [
        ("half_g", "input.dtype: must be \"float32\" or \"float64\""),
        ("bytes_g", "input.onnx_range: must be absent"),
        ("integers_g", "input.dtype: must be"),
        ("double_g", "no error bound covers the conversion to float32"),
    ] {
        let setup =
            Setup::pair("linear_g", "linear_h").edited("models.robust", name, &[("kind = \"none\"", lipschitz)]);
        let message = fails(&["serve", setup.write().to_str().unwrap()], &[]);
        assert!(message.contains(expected), "{name}: {message}");
    }
}
