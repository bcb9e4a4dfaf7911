//! The bound holds for what `prost` allocates, and is small for honest requests.

use prost::Message as _;

use super::*;
use crate::rpc::mixed_classifier::proto as mixed;
use crate::rpc::open_inference::proto as open;
use open::model_infer_request::{InferInputTensor, InferRequestedOutputTensor};

const MODEL_INFER: &str = "/inference.GRPCInferenceService/ModelInfer";
const PREDICT_STREAM: &str = "/certimix.v1.MixedClassifier/PredictStream";

fn schemas() -> MessageSchemas {
    let mut schemas = MessageSchemas::default();
    for descriptors in [mixed::DESCRIPTORS, open::DESCRIPTORS] {
        schemas.add(&FileDescriptorSet::decode(descriptors).unwrap());
    }
    schemas
}

fn decoded_bytes(path: &str, message: &[u8]) -> usize {
    let schemas = schemas();
    schemas.decoded_bytes(schemas.request(path), message, usize::MAX)
}

fn value_bytes(schemas: &MessageSchemas, name: &str) -> usize {
    schemas.messages[schemas.by_name[name]].value_bytes
}

#[test]
fn the_size_of_a_value_is_bounded() {
    let schemas = schemas();
    for (name, size) in [
        (".certimix.v1.Tensor", size_of::<mixed::Tensor>()),
        (
            ".certimix.v1.PredictStreamRequest",
            size_of::<mixed::PredictStreamRequest>(),
        ),
        (".inference.ModelInferRequest", size_of::<open::ModelInferRequest>()),
        (
            ".inference.ModelInferRequest.InferInputTensor",
            size_of::<InferInputTensor>(),
        ),
        (
            ".inference.ModelInferRequest.InferRequestedOutputTensor",
            size_of::<InferRequestedOutputTensor>(),
        ),
        (
            ".inference.ModelInferRequest.ParametersEntry",
            size_of::<(String, open::InferParameter)>(),
        ),
    ] {
        assert!(value_bytes(&schemas, name) >= size, "{name}: {size}");
    }
}

/// Two bytes add one input: the decoded list is a hundred times larger.
#[test]
fn a_list_of_empty_messages_is_counted_by_its_elements() {
    const INPUTS: usize = 1000;
    let request = open::ModelInferRequest {
        inputs: vec![InferInputTensor::default(); INPUTS],
        ..Default::default()
    };
    let encoded = request.encode_to_vec();
    assert_eq!(encoded.len(), 2 * INPUTS);
    let decoded = open::ModelInferRequest::decode(encoded.as_slice()).unwrap();
    let bound = decoded_bytes(MODEL_INFER, &encoded);
    assert!(bound >= decoded.inputs.capacity() * size_of::<InferInputTensor>());
    assert!(bound > 100 * encoded.len());
    // The bound stops once it is large enough to refuse the message.
    let schemas = schemas();
    let request = schemas.request(MODEL_INFER);
    assert!(schemas.decoded_bytes(request, &encoded, 10_000) < 20_000);
}

#[test]
fn packed_and_unpacked_lists_and_maps_are_counted() {
    let shapes = open::ModelInferRequest {
        inputs: vec![InferInputTensor {
            shape: vec![1; 5000],
            ..Default::default()
        }],
        ..Default::default()
    };
    assert!(decoded_bytes(MODEL_INFER, &shapes.encode_to_vec()) >= 2 * 8 * 5000);
    let raw = open::ModelInferRequest {
        raw_input_contents: vec![Vec::new().into(); 5000],
        ..Default::default()
    };
    assert!(decoded_bytes(MODEL_INFER, &raw.encode_to_vec()) >= 2 * 32 * 5000);
    let parameters = (0..5000).map(|number| (number.to_string(), open::InferParameter::default()));
    let parameters = open::ModelInferRequest {
        parameters: parameters.collect(),
        ..Default::default()
    };
    let entry = size_of::<(String, open::InferParameter)>();
    assert!(decoded_bytes(MODEL_INFER, &parameters.encode_to_vec()) >= 2 * entry * 5000);
    // An unpacked list: each value has a key of its own.
    let unpacked = [0x10, 7].repeat(1000);
    let mut tensor = vec![0x0a];
    prost::encoding::encode_varint(2000, &mut tensor);
    tensor.extend(unpacked);
    let request = mixed::PredictRequest::decode(tensor.as_slice()).unwrap();
    assert_eq!(request.inputs.unwrap().shape.len(), 1000);
    let bound = decoded_bytes("/certimix.v1.MixedClassifier/Predict", &tensor);
    assert!(bound >= 2 * 8 * 1000, "{bound}");
}

#[test]
fn an_honest_request_costs_little_more_than_its_values() {
    let data = vec![0; 600_000];
    let tensor = mixed::Tensor {
        dtype: mixed::DataType::Float32.into(),
        shape: vec![1, 3, 224, 224],
        data: data.into(),
    };
    let request = mixed::PredictStreamRequest {
        request: Some(mixed::PredictRequest {
            inputs: Some(tensor),
            ..Default::default()
        }),
        ..Default::default()
    };
    let encoded = request.encode_to_vec();
    let bound = decoded_bytes(PREDICT_STREAM, &encoded);
    assert!((600_000..602_000).contains(&bound), "{bound}");
}

#[test]
fn bytes_that_are_no_message_end_the_count() {
    for invalid in [&[0xff; 20][..], &[0x0a, 0x7f, 1], &[0x0a], &[0x2b, 0x2b, 0x2c], &[]] {
        for path in [MODEL_INFER, PREDICT_STREAM, "/unknown"] {
            assert!(decoded_bytes(path, invalid) < 1000);
        }
    }
}
