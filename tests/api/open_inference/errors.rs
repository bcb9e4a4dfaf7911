//! The server reports every error of a ModelInfer request by the protocol's field names, and
//! continues to serve.

use certimix::rpc::open_inference::proto::infer_parameter::ParameterChoice;
use certimix::rpc::open_inference::proto::{
    InferTensorContents, ModelConfigRequest, ModelInferRequest, ModelMetadataRequest, ModelReadyRequest,
    ModelStatisticsRequest,
};
use tonic::{Code, Status};

use crate::support::messages::{CLEAR_INPUT, violated_fields};
use crate::support::model_infer::{
    self, Client, parameter, raw_request, row_request, typed_request, with_outputs, with_parameter,
};
use crate::support::{Setup, TestServer};

async fn refusal(client: &mut Client, request: ModelInferRequest) -> Status {
    let status = client.model_infer(request).await.unwrap_err();
    // The whole message must fit into a header.
    assert!(status.message().len() < 1000, "{}", status.message());
    client
        .model_infer(row_request(&[CLEAR_INPUT]))
        .await
        .expect("the server still serves");
    status
}

fn contents(floats: usize, bytes: &[u32]) -> Option<InferTensorContents> {
    Some(InferTensorContents {
        fp32_contents: vec![0.5; floats],
        uint_contents: bytes.to_vec(),
        ..Default::default()
    })
}

fn changed_request(change: impl FnOnce(&mut ModelInferRequest)) -> ModelInferRequest {
    let mut request = row_request(&[CLEAR_INPUT]);
    change(&mut request);
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_invalid_request_is_refused_by_field() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h").with("server.max_inputs", 4)).await;
    let mut client = model_infer::client(&server).await;
    let cases: Vec<(ModelInferRequest, &[&str])> = vec![
        (changed_request(|request| request.inputs.clear()), &["inputs"]),
        (
            changed_request(|request| request.inputs.push(request.inputs[0].clone())),
            &["inputs"],
        ),
        (
            changed_request(|request| request.inputs[0].name = "image".to_owned()),
            &["inputs[0].name"],
        ),
        (
            changed_request(|request| request.inputs[0].datatype = "FP64".to_owned()),
            &["inputs[0].datatype"],
        ),
        // UINT8 implies the range [0, 1]. This model takes [-1, 1].
        (raw_request("UINT8", &[1, 4], vec![0; 4]), &["inputs[0].datatype"]),
        (
            changed_request(|request| request.inputs[0].shape = vec![]),
            &["inputs[0].shape"],
        ),
        (
            changed_request(|request| request.inputs[0].shape = vec![1, 5]),
            &["inputs[0].shape"],
        ),
        (
            changed_request(|request| request.inputs[0].shape = vec![0, 4]),
            &["inputs[0].shape"],
        ),
        (
            changed_request(|request| request.inputs[0].shape = vec![5, 4]),
            &["inputs[0].shape"],
        ),
        (
            changed_request(|request| request.inputs[0].shape = vec![i64::MAX, 4]),
            &["inputs[0].shape"],
        ),
        (
            changed_request(|request| request.inputs[0].shape = vec![i64::MAX; 2000]),
            &["inputs[0].shape"],
        ),
        (raw_request("FP32", &[1, 4], vec![0; 15]), &["raw_input_contents[0]"]),
        (raw_request("FP32", &[1, 4], vec![0; 32]), &["raw_input_contents[0]"]),
        (row_request(&[[0.0, f32::NAN, 0.0, 0.0]]), &["raw_input_contents[0]"]),
        (row_request(&[[0.0, 0.0, 0.0, 1.5]]), &["raw_input_contents[0]"]),
        (
            changed_request(|request| request.raw_input_contents.push(vec![0; 16].into())),
            &["raw_input_contents"],
        ),
        (typed_request("FP32", &[1, 4], None), &["inputs[0].contents"]),
        (
            typed_request("FP32", &[1, 4], contents(0, &[])),
            &["inputs[0].contents"],
        ),
        (
            typed_request("FP32", &[1, 4], contents(3, &[])),
            &["inputs[0].contents.fp32_contents"],
        ),
        (
            typed_request("FP32", &[1, 4], contents(0, &[1; 4])),
            &["inputs[0].contents.uint_contents"],
        ),
        (
            typed_request("FP32", &[1, 4], contents(4, &[1])),
            &["inputs[0].contents.uint_contents"],
        ),
        (
            changed_request(|request| request.inputs[0].contents = contents(4, &[])),
            &["raw_input_contents"],
        ),
        (
            changed_request(|request| {
                let region = ParameterChoice::StringParam("region".to_owned());
                request.inputs[0]
                    .parameters
                    .insert("shared_memory_region".to_owned(), parameter(region));
            }),
            &["inputs[0].parameters.shared_memory_region"],
        ),
        (
            changed_request(|request| {
                let size = parameter(ParameterChoice::Int64Param(15));
                request.inputs[0].parameters.insert("binary_data_size".to_owned(), size);
            }),
            &["inputs[0].parameters.binary_data_size"],
        ),
        (
            changed_request(|request| {
                for number in 0..1000 {
                    let name = format!("{number}{}", "x".repeat(1000));
                    let one = parameter(ParameterChoice::Int64Param(1));
                    request.inputs[0].parameters.insert(name, one);
                }
            }),
            &["inputs[0].parameters"],
        ),
        (
            with_outputs(&["logits"], row_request(&[CLEAR_INPUT])),
            &["outputs[0].name"],
        ),
        (
            with_outputs(&["class", "radius", "class"], row_request(&[CLEAR_INPUT])),
            &["outputs[2].name"],
        ),
        (
            with_outputs(&["class"; 1000], row_request(&[CLEAR_INPUT])),
            &["outputs"],
        ),
        (
            changed_request(|request| {
                *request = with_outputs(&["log_probs"], request.clone());
                let three = parameter(ParameterChoice::Int64Param(3));
                request.outputs[0].parameters.insert("classification".to_owned(), three);
            }),
            &["outputs[0].parameters"],
        ),
        (
            with_parameter("timeout", ParameterChoice::Int64Param(-1), row_request(&[CLEAR_INPUT])),
            &["parameters.timeout"],
        ),
        (
            with_parameter("priority", ParameterChoice::Int64Param(3), row_request(&[CLEAR_INPUT])),
            &["parameters.priority"],
        ),
        (
            with_parameter(
                "sequence_id",
                ParameterChoice::Int64Param(3),
                row_request(&[CLEAR_INPUT]),
            ),
            &["parameters.sequence_id"],
        ),
        (
            changed_request(|request| {
                for index in 0..5000 {
                    let key = format!("{index}{}", "x".repeat(100));
                    request
                        .parameters
                        .insert(key, parameter(ParameterChoice::BoolParam(true)));
                }
            }),
            &["parameters"],
        ),
        // Several errors in one request.
        (
            with_parameter("priority", ParameterChoice::Int64Param(3), {
                let request = with_outputs(&["nothing"], typed_request("INT8", &[1, 5], contents(4, &[])));
                ModelInferRequest {
                    raw_input_contents: vec![vec![0].into()],
                    ..request
                }
            }),
            &[
                "parameters.priority",
                "outputs[0].name",
                "raw_input_contents",
                "inputs[0].datatype",
                "inputs[0].shape",
            ],
        ),
    ];
    for (request, expected) in cases {
        let shown = format!("{request:?}").chars().take(400).collect::<String>();
        assert_eq!(
            violated_fields(&refusal(&mut client, request).await),
            expected,
            "{shown}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_byte_above_255_is_refused() {
    let server = TestServer::start(Setup::pair("image_g", "image_h")).await;
    let mut client = model_infer::client(&server).await;
    let mut pixels = [7; 192];
    pixels[100] = 256;
    let wrong = typed_request("UINT8", &[1, 3, 8, 8], contents(0, &pixels));
    let status = client.model_infer(wrong).await.unwrap_err();
    assert_eq!(violated_fields(&status), ["inputs[0].contents.uint_contents"]);
    assert!(status.message().contains("256"), "{status:?}");
    client
        .model_infer(typed_request("UINT8", &[1, 3, 8, 8], contents(0, &[7; 192])))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn another_model_or_version_is_not_found() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h").text("open_inference.model_name", "mine")).await;
    let mut client = model_infer::client(&server).await;
    for (name, version, expected) in [
        ("certimix", "1", "\"mine\""),
        ("Mine", "", "\"mine\""),
        ("mine", "2", "\"1\""),
        ("mine", "01", "\"1\""),
    ] {
        let (name, version) = (name.to_owned(), version.to_owned());
        let infer = ModelInferRequest {
            model_name: name.clone(),
            model_version: version.clone(),
            ..row_request(&[CLEAR_INPUT])
        };
        let (n, v) = (|| name.clone(), || version.clone());
        let refusal = [
            client.model_infer(infer).await.map(drop),
            client
                .model_ready(ModelReadyRequest {
                    name: n(),
                    version: v(),
                })
                .await
                .map(drop),
            client
                .model_metadata(ModelMetadataRequest {
                    name: n(),
                    version: v(),
                })
                .await
                .map(drop),
            client
                .model_config(ModelConfigRequest {
                    name: n(),
                    version: v(),
                })
                .await
                .map(drop),
            client
                .model_statistics(ModelStatisticsRequest {
                    name: n(),
                    version: v(),
                })
                .await
                .map(drop),
        ];
        for status in refusal {
            let status = status.unwrap_err();
            assert_eq!(status.code(), Code::NotFound, "{status:?}");
            assert!(status.message().contains(expected), "{status:?}");
        }
    }
    let without_name = ModelInferRequest {
        model_name: String::new(),
        ..row_request(&[CLEAR_INPUT])
    };
    assert_eq!(
        client.model_infer(without_name).await.unwrap_err().code(),
        Code::NotFound
    );
    let mine = ModelInferRequest {
        model_name: "mine".to_owned(),
        ..row_request(&[CLEAR_INPUT])
    };
    client.model_infer(mine).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_stream_rpc_is_unimplemented_and_names_the_alternative() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h")).await;
    let requests = tokio_stream::iter([row_request(&[CLEAR_INPUT])]);
    let status = model_infer::client(&server)
        .await
        .model_stream_infer(requests)
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented, "{status:?}");
    assert!(status.message().contains("PredictStream"), "{status:?}");
}

/// A full queue refuses with a retry delay, as it does for Predict.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_full_queue_refuses_with_a_retry_delay() {
    let setup = Setup::pair("slow_g", "slow_h")
        .batch_size(1)
        .with("server.max_inputs", 4)
        .with("scheduler.queue_rows", 4);
    let server = TestServer::start(setup).await;
    let mut client = model_infer::client(&server).await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let mut client = client.clone();
        calls.spawn(async move { client.model_infer(row_request(&[CLEAR_INPUT; 4])).await });
    }
    let responses = calls.join_all().await;
    let refusal: Vec<&Status> = responses
        .iter()
        .filter_map(|response| response.as_ref().err())
        .collect();
    assert!(refusal.len() < responses.len() && !refusal.is_empty());
    for status in refusal {
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        assert!(status.metadata().contains_key("grpc-retry-pushback-ms"), "{status:?}");
    }
    client.model_infer(row_request(&[CLEAR_INPUT])).await.unwrap();
}
