//! ModelInfer returns the results of Predict.

use certimix::rpc::open_inference::proto::infer_parameter::ParameterChoice;
use certimix::rpc::open_inference::proto::{InferTensorContents, ModelInferResponse};
use certimix::rpc::proto::{CertificateStatus, PredictResponse};

use crate::support::messages::CLEAR_INPUT;
use crate::support::model_infer::{
    self, ALL_OUTPUTS, double_parameter, float_output, output, row_request, string_parameter, with_outputs,
    with_parameter,
};
use crate::support::server::TEST_TIMEOUT;
use crate::support::{Setup, TestServer, messages};

const INPUTS: [[f32; 4]; 4] = [
    CLEAR_INPUT,
    [0.1, 0.1, 0.1, 0.1],
    [-0.2, 0.9, -0.7, 1.0],
    [0.333, -0.25, 0.3, 0.777],
];

/// Checks that a response with all outputs equals that of Predict, value by value.
#[track_caller]
fn assert_same(infer: &ModelInferResponse, predict: &PredictResponse) {
    let predictions = &predict.predictions;
    let count = i64::try_from(predictions.len()).unwrap();
    let floats = |name| float_output(infer, name, &[count, 3]);
    let all =
        |of: fn(&certimix::rpc::proto::Prediction) -> &Vec<f32>| predictions.iter().flat_map(of).copied().collect();
    let (log_probs, g, h): (Vec<f32>, Vec<f32>, Vec<f32>) = (
        all(|prediction| &prediction.mixed_logits),
        all(|prediction| &prediction.standard_probabilities),
        all(|prediction| &prediction.robust_probabilities),
    );
    assert_eq!(
        (floats("log_probs"), floats("standard_probs"), floats("robust_probs")),
        (log_probs, g, h)
    );
    let classes = output(infer, "class", "INT64", &[count]).as_chunks::<8>().0;
    let certified = output(infer, "certified", "BOOL", &[count]);
    let radii = float_output(infer, "radius", &[count]);
    let weights = float_output(infer, "robust_weight", &[count]);
    for (index, prediction) in predictions.iter().enumerate() {
        assert_eq!(weights[index], prediction.robust_weight.unwrap() as f32);
        assert_eq!(i64::from_le_bytes(classes[index]), i64::from(prediction.class_index));
        let certificate = messages::certificate(prediction);
        assert_eq!(
            certified[index],
            u8::from(certificate.status() == CertificateStatus::Certified)
        );
        // The radius is rounded down to a float32.
        assert!(
            f64::from(radii[index]) <= certificate.radius,
            "{} {certificate:?}",
            radii[index]
        );
        assert!(
            f64::from(radii[index].next_up()) > certificate.radius,
            "{} {certificate:?}",
            radii[index]
        );
    }
    let provenance = predict.provenance.as_ref().unwrap();
    for (name, value) in [
        ("config_revision", &provenance.config_revision),
        ("standard_model_sha256", &provenance.standard_model_sha256),
        ("robust_model_sha256", &provenance.robust_model_sha256),
        ("server_version", &provenance.server_version),
    ] {
        assert_eq!(string_parameter(infer, name), Some(value.as_str()), "{name}");
    }
    assert_eq!(double_parameter(infer, "alpha"), Some(provenance.alpha));
    assert_eq!(double_parameter(infer, "fallback_alpha"), provenance.fallback_alpha);
    assert_eq!(
        double_parameter(infer, "robust_temperature"),
        Some(provenance.robust_temperature)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn responses_match_those_of_predict() {
    let setup = Setup::pair("linear_g", "linear_h").with("mixture.alpha", 0.8);
    let server = TestServer::start(setup.with("mixture.fallback_alpha", 0.1)).await;
    let mut client = model_infer::client(&server).await;
    let predict = messages::predict_request(messages::floats(&INPUTS));
    let predict = server.client().await.predict(predict).await.unwrap().into_inner();
    let certified = |prediction| messages::certificate(prediction).status() == CertificateStatus::Certified;
    assert!(predict.predictions.iter().any(certified) && !predict.predictions.iter().all(certified));

    let of_raw = client
        .model_infer(with_outputs(&ALL_OUTPUTS, row_request(&INPUTS)))
        .await
        .unwrap()
        .into_inner();
    assert_same(&of_raw, &predict);
    // Inputs 1 and 3 have too small a margin for a certificate.
    assert_eq!(float_output(&of_raw, "robust_weight", &[4]), [0.8, 0.1, 0.8, 0.1]);
    assert_eq!(
        (of_raw.model_name.as_str(), of_raw.model_version.as_str()),
        ("certimix", "1")
    );
    assert_eq!(string_parameter(&of_raw, "norm"), Some("l2"));
    let reasons = string_parameter(&of_raw, "reasons").unwrap();
    assert!(
        reasons.starts_with("inputs 1, 3: the robust model's margin"),
        "{reasons}"
    );
    // A certificate without votes has no failure probability.
    assert!(!of_raw.parameters.contains_key("failure_probability"));

    let contents = InferTensorContents {
        fp32_contents: INPUTS.as_flattened().to_vec(),
        ..Default::default()
    };
    let typed = with_outputs(
        &ALL_OUTPUTS,
        model_infer::typed_request("FP32", &[4, 4], Some(contents)),
    );
    assert_eq!(client.model_infer(typed).await.unwrap().into_inner(), of_raw);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn bytes_mean_values_in_255ths_in_raw_and_typed_contents() {
    let server = TestServer::start(Setup::pair("image_g", "image_h")).await;
    let mut client = model_infer::client(&server).await;
    let shape = [2, 3, 8, 8];
    let pixels: Vec<u8> = (0..2 * 192u32)
        .map(|index| u8::try_from((index * 37) % 256).unwrap())
        .collect();
    let values: Vec<f32> = pixels.iter().map(|&pixel| f32::from(pixel) / 255.0).collect();
    let uint_contents = pixels.iter().map(|&pixel| u32::from(pixel)).collect();
    let contents = InferTensorContents {
        uint_contents,
        ..Default::default()
    };
    let predict = messages::predict_request(messages::bytes(&shape, &pixels));
    let predict = server.client().await.predict(predict).await.unwrap().into_inner();
    for request in [
        model_infer::float_request(&shape, &values),
        model_infer::raw_request("UINT8", &shape, pixels),
        model_infer::typed_request("UINT8", &shape, Some(contents)),
    ] {
        let response = client
            .model_infer(with_outputs(&ALL_OUTPUTS, request))
            .await
            .unwrap()
            .into_inner();
        assert_same(&response, &predict);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn outputs_have_the_requested_order() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h")).await;
    let mut client = model_infer::client(&server).await;
    for (requested, expected) in [
        (&[][..], &ALL_OUTPUTS[..4]),
        (
            &["radius", "robust_probs", "class"],
            &["radius", "robust_probs", "class"],
        ),
        (&["class"], &["class"]),
    ] {
        let mut request = with_outputs(requested, row_request(&[CLEAR_INPUT]));
        request.id = "a name".to_owned();
        let response = client.model_infer(request).await.unwrap().into_inner();
        let names: Vec<&str> = response.outputs.iter().map(|output| output.name.as_str()).collect();
        assert_eq!((names.as_slice(), response.id.as_str()), (expected, "a name"));
        let class = output(&response, "class", "INT64", &[1]);
        assert_eq!(class, 0_i64.to_le_bytes());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_unproven_model_has_a_reason_and_no_radius() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h_unproven")).await;
    let response = model_infer::client(&server)
        .await
        .model_infer(row_request(&[CLEAR_INPUT; 10]))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(float_output(&response, "radius", &[10]), [0.0; 10]);
    assert_eq!(output(&response, "certified", "BOOL", &[10]), [0; 10]);
    let reasons = string_parameter(&response, "reasons").unwrap();
    assert!(
        reasons.starts_with("inputs 0, 1, 2, 3, 4, 5, 6, 7 and 2 more: "),
        "{reasons}"
    );
    assert_eq!(string_parameter(&response, "norm"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_certificate_by_votes_has_its_failure_probability() {
    let setup = Setup::pair("steep_g", "half_space").with("certificate.failure_probability", 1e-5);
    let server = TestServer::start(setup).await;
    let request = row_request(&[[0.75, 0.0, 0.0, 0.0]]);
    let response = model_infer::client(&server)
        .await
        .model_infer(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(output(&response, "certified", "BOOL", &[1]), [1]);
    assert!(float_output(&response, "radius", &[1])[0] > 0.0);
    assert_eq!(double_parameter(&response, "failure_probability"), Some(1e-5));
    assert_eq!(
        (
            string_parameter(&response, "norm"),
            string_parameter(&response, "reasons")
        ),
        (Some("l2"), None)
    );
}

/// The votes continue until the timeout. Without it they would take an hour.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_timeout_is_obeyed() {
    let setup = Setup::pair("steep_g", "half_space")
        .with("certificate.max_votes", 4_000_000_000_u64)
        .with("certificate.predict_votes", 4_000_000_000_u64)
        .text("server.max_request_time", "1h");
    let server = TestServer::start(setup).await;
    let request = with_parameter(
        "timeout",
        ParameterChoice::Int64Param(500_000),
        row_request(&[CLEAR_INPUT]),
    );
    let request = with_parameter("priority", ParameterChoice::Uint64Param(2), request);
    let mut client = model_infer::client(&server).await;
    let response = tokio::time::timeout(TEST_TIMEOUT, client.model_infer(request));
    let response = response
        .await
        .expect("a response before the timeout")
        .unwrap()
        .into_inner();
    assert_eq!(response.outputs.len(), 4);
}
