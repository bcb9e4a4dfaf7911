//! The Open Inference Protocol answers what Predict answers.

use certimix::rpc::open_inference::proto::infer_parameter::ParameterChoice;
use certimix::rpc::open_inference::proto::{
    DataType, InferTensorContents, ModelConfigRequest, ModelInferResponse, ModelMetadataRequest, ModelReadyRequest,
    ModelStatisticsRequest, ServerLiveRequest, ServerMetadataRequest, ServerReadyRequest,
};
use certimix::rpc::proto::{CertificateStatus, PredictResponse};
use tonic::Code;

use crate::support::messages::CLEAR_INPUT;
use crate::support::model_infer::{
    self, double_parameter, float_output, output, row_request, string_parameter, with_outputs, with_parameter,
};
use crate::support::server::TEST_TIMEOUT;
use crate::support::{Setup, TestServer, messages};

const INPUTS: [[f32; 4]; 4] = [
    CLEAR_INPUT,
    [0.1, 0.1, 0.1, 0.1],
    [-0.2, 0.9, -0.7, 1.0],
    [0.333, -0.25, 0.3, 0.777],
];
const ALL: [&str; 6] = [
    "log_probs",
    "class",
    "radius",
    "certified",
    "standard_probs",
    "robust_probs",
];

/// Whether an answer to all outputs is, value by value, the same as Predict's.
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
    for (index, prediction) in predictions.iter().enumerate() {
        assert_eq!(i64::from_le_bytes(classes[index]), i64::from(prediction.class_index));
        let certificate = messages::certificate(prediction);
        assert_eq!(
            certified[index],
            u8::from(certificate.status() == CertificateStatus::Certified)
        );
        // The largest float32 that claims no more.
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
    assert_eq!(
        double_parameter(infer, "robust_temperature"),
        Some(provenance.robust_temperature)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn answers_are_those_of_predict() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h").with("mixture.alpha", 0.8)).await;
    let mut client = model_infer::client(&server).await;
    let predict = messages::predict_request(messages::floats(&INPUTS));
    let predict = server.client().await.predict(predict).await.unwrap().into_inner();
    let certified = |prediction| messages::certificate(prediction).status() == CertificateStatus::Certified;
    assert!(predict.predictions.iter().any(certified) && !predict.predictions.iter().all(certified));

    let of_raw = client
        .model_infer(with_outputs(&ALL, row_request(&INPUTS)))
        .await
        .unwrap()
        .into_inner();
    assert_same(&of_raw, &predict);
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
    // A proof without votes has no probability to be wrong.
    assert!(!of_raw.parameters.contains_key("failure_probability"));

    let contents = InferTensorContents {
        fp32_contents: INPUTS.as_flattened().to_vec(),
        ..Default::default()
    };
    let typed = with_outputs(&ALL, model_infer::typed_request("FP32", &[4, 4], Some(contents)));
    assert_eq!(client.model_infer(typed).await.unwrap().into_inner(), of_raw);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn bytes_are_255ths_in_either_way() {
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
        let answer = client
            .model_infer(with_outputs(&ALL, request))
            .await
            .unwrap()
            .into_inner();
        assert_same(&answer, &predict);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn outputs_come_in_the_order_asked_for() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h")).await;
    let mut client = model_infer::client(&server).await;
    for (asked, expected) in [
        (&[][..], &ALL[..4]),
        (
            &["radius", "robust_probs", "class"],
            &["radius", "robust_probs", "class"],
        ),
        (&["class"], &["class"]),
    ] {
        let mut request = with_outputs(asked, row_request(&[CLEAR_INPUT]));
        request.id = "a name".to_owned();
        let answer = client.model_infer(request).await.unwrap().into_inner();
        let names: Vec<&str> = answer.outputs.iter().map(|output| output.name.as_str()).collect();
        assert_eq!((names.as_slice(), answer.id.as_str()), (expected, "a name"));
        let class = output(&answer, "class", "INT64", &[1]);
        assert_eq!(class, 0_i64.to_le_bytes());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn without_a_proof_there_is_a_reason_and_no_radius() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h_unproven")).await;
    let answer = model_infer::client(&server)
        .await
        .model_infer(row_request(&[CLEAR_INPUT; 10]))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(float_output(&answer, "radius", &[10]), [0.0; 10]);
    assert_eq!(output(&answer, "certified", "BOOL", &[10]), [0; 10]);
    let reasons = string_parameter(&answer, "reasons").unwrap();
    assert!(
        reasons.starts_with("inputs 0, 1, 2, 3, 4, 5, 6, 7 and 2 more: "),
        "{reasons}"
    );
    assert_eq!(string_parameter(&answer, "norm"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_certificate_by_votes_tells_how_likely_it_is_to_be_wrong() {
    let setup = Setup::pair("steep_g", "half_space").with("certificate.failure_probability", 1e-5);
    let server = TestServer::start(setup).await;
    let request = row_request(&[[0.75, 0.0, 0.0, 0.0]]);
    let answer = model_infer::client(&server)
        .await
        .model_infer(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(output(&answer, "certified", "BOOL", &[1]), [1]);
    assert!(float_output(&answer, "radius", &[1])[0] > 0.0);
    assert_eq!(double_parameter(&answer, "failure_probability"), Some(1e-5));
    assert_eq!(
        (string_parameter(&answer, "norm"), string_parameter(&answer, "reasons")),
        (Some("l2"), None)
    );
}

/// The votes go on until the timeout says stop: without it this would take an hour.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_timeout_is_kept() {
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
    let answer = tokio::time::timeout(TEST_TIMEOUT, client.model_infer(request));
    let answer = answer.await.expect("the timeout is not kept").unwrap().into_inner();
    assert_eq!(answer.outputs.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn metadata_and_configuration_describe_the_model() {
    let setup = Setup::pair("image_g", "image_h")
        .text("open_inference.model_name", "vision/cifar10")
        .with("server.max_inputs", 32);
    let server = TestServer::start(setup).await;
    let mut client = model_infer::client(&server).await;
    let (name, version) = ("vision/cifar10".to_owned(), "1".to_owned());
    let request = ModelMetadataRequest {
        name: name.clone(),
        version: version.clone(),
    };
    let metadata = client.model_metadata(request).await.unwrap().into_inner();
    assert_eq!(
        (&metadata.name, metadata.versions.as_slice()),
        (&name, [version.clone()].as_slice())
    );
    assert_eq!(metadata.inputs.len(), 1);
    let input = &metadata.inputs[0];
    assert_eq!((input.name.as_str(), input.datatype.as_str()), ("input", "FP32"));
    assert_eq!(input.shape, [-1, 3, 8, 8]);

    let request = ModelConfigRequest {
        name: name.clone(),
        version,
    };
    let config = client.model_config(request).await.unwrap().into_inner().config.unwrap();
    assert_eq!(
        (&config.name, config.max_batch_size, config.platform),
        (&name, 32, metadata.platform)
    );
    assert_eq!(config.input[0].dims, [3, 8, 8]);
    assert_eq!(config.input[0].data_type(), DataType::TypeFp32);
    assert_eq!(config.parameters["config_revision"].string_value.len(), 64);
    let of_metadata = metadata.outputs.iter().map(|output| {
        let datatype = DataType::from_str_name(&format!("TYPE_{}", output.datatype)).unwrap();
        (&output.name, datatype, &output.shape[1..])
    });
    let of_config = config
        .output
        .iter()
        .map(|output| (&output.name, output.data_type(), output.dims.as_slice()));
    assert!(of_metadata.eq(of_config));
    assert_eq!(
        config
            .output
            .iter()
            .map(|output| output.name.as_str())
            .collect::<Vec<_>>(),
        ALL
    );
    // What the metadata promise is what is answered.
    let mut request = with_outputs(&ALL, model_infer::float_request(&[1, 3, 8, 8], &[0.5; 192]));
    request.model_name = name;
    let answer = client.model_infer(request).await.unwrap().into_inner();
    for (promised, answered) in metadata.outputs.iter().zip(&answer.outputs) {
        assert_eq!(
            (&promised.name, &promised.datatype),
            (&answered.name, &answered.datatype)
        );
        assert_eq!(promised.shape[1..], answered.shape[1..]);
    }
    let server = client
        .server_metadata(ServerMetadataRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (server.name.as_str(), server.version.as_str()),
        ("certimix", env!("CARGO_PKG_VERSION"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn statistics_count_what_was_answered_and_what_was_not() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h")).await;
    let mut client = model_infer::client(&server).await;
    for count in 1..=3 {
        client.model_infer(row_request(&INPUTS[..count])).await.unwrap();
    }
    client
        .model_infer(model_infer::float_request(&[1, 5], &[0.0; 5]))
        .await
        .unwrap_err();
    for name in ["", "certimix"] {
        let request = ModelStatisticsRequest {
            name: name.to_owned(),
            ..Default::default()
        };
        let told = client.model_statistics(request).await.unwrap().into_inner().model_stats;
        assert_eq!(told.len(), 1);
        assert_eq!(
            (told[0].name.as_str(), told[0].inference_count, told[0].execution_count),
            ("certimix", 6, 3)
        );
        let stats = told[0].inference_stats.as_ref().unwrap();
        let (success, fail) = (stats.success.unwrap(), stats.fail.unwrap());
        assert_eq!((success.count, fail.count), (3, 1));
        let parts = [
            stats.queue,
            stats.compute_input,
            stats.compute_infer,
            stats.compute_output,
        ]
        .map(Option::unwrap);
        assert!(parts.iter().all(|part| part.count == 3));
        assert!(parts.iter().map(|part| part.ns).sum::<u64>() <= success.ns && fail.ns > 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn it_is_ready_when_the_models_are() {
    let (setup, pipe) = crate::services::health::manifest_to_come(Setup::pair("linear_g", "linear_h"));
    let mut server = TestServer::listen(setup);
    let mut client = model_infer::client(&server).await;
    let name = "certimix".to_owned();
    for ready in [false, true] {
        assert!(
            client
                .server_live(ServerLiveRequest {})
                .await
                .unwrap()
                .into_inner()
                .live
        );
        assert_eq!(
            client
                .server_ready(ServerReadyRequest {})
                .await
                .unwrap()
                .into_inner()
                .ready,
            ready
        );
        let request = ModelReadyRequest {
            name: name.clone(),
            ..Default::default()
        };
        assert_eq!(client.model_ready(request).await.unwrap().into_inner().ready, ready);
        client.server_metadata(ServerMetadataRequest {}).await.unwrap();
        let request = ModelMetadataRequest {
            name: name.clone(),
            ..Default::default()
        };
        let metadata = client
            .model_metadata(request)
            .await
            .map(drop)
            .map_err(|status| status.code());
        let infer = client
            .model_infer(row_request(&[CLEAR_INPUT]))
            .await
            .map(drop)
            .map_err(|status| status.code());
        if ready {
            assert_eq!((metadata, infer), (Ok(()), Ok(())));
            break;
        }
        assert_eq!((metadata, infer), (Err(Code::Unavailable), Err(Code::Unavailable)));
        crate::services::health::write_manifest(pipe.clone()).await;
        assert!(server.ready().await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn it_can_be_turned_off() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h").with("open_inference.enabled", false)).await;
    let refused = model_infer::client(&server)
        .await
        .server_live(ServerLiveRequest {})
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented, "{refused:?}");
    let listed = crate::services::reflection::services(&server).await;
    assert!(!listed.iter().any(|name| name.starts_with("inference.")), "{listed:?}");
    server
        .client()
        .await
        .predict(messages::predict_request(messages::floats(&[CLEAR_INPUT])))
        .await
        .unwrap();
}
