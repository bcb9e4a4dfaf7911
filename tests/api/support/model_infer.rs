//! Builders of ModelInfer requests, and readers of its responses.

use certimix::rpc::open_inference::proto::grpc_inference_service_client::GrpcInferenceServiceClient;
use certimix::rpc::open_inference::proto::infer_parameter::ParameterChoice;
use certimix::rpc::open_inference::proto::model_infer_request::{InferInputTensor, InferRequestedOutputTensor};
use certimix::rpc::open_inference::proto::{
    InferParameter, InferTensorContents, ModelInferRequest, ModelInferResponse,
};
use tonic::transport::Channel;

use super::TestServer;

/// Every output of the model, in the order of its metadata.
pub const ALL_OUTPUTS: [&str; 7] = [
    "log_probs",
    "class",
    "radius",
    "certified",
    "standard_probs",
    "robust_probs",
    "robust_weight",
];

pub type Client = GrpcInferenceServiceClient<Channel>;

pub async fn client(server: &TestServer) -> Client {
    Client::new(server.channel().await)
}

/// Builds a request with raw FP32 contents, as most clients send it.
pub fn float_request(shape: &[i64], values: &[f32]) -> ModelInferRequest {
    raw_request(
        "FP32",
        shape,
        values.iter().flat_map(|value| value.to_le_bytes()).collect(),
    )
}

/// Builds a request for inputs of four numbers each.
pub fn row_request(rows: &[[f32; 4]]) -> ModelInferRequest {
    float_request(&[i64::try_from(rows.len()).unwrap(), 4], rows.as_flattened())
}

/// Builds a request with raw contents.
pub fn raw_request(datatype: &str, shape: &[i64], bytes: Vec<u8>) -> ModelInferRequest {
    ModelInferRequest {
        raw_input_contents: vec![bytes.into()],
        ..typed_request(datatype, shape, None)
    }
}

/// Builds a request with typed contents.
pub fn typed_request(datatype: &str, shape: &[i64], contents: Option<InferTensorContents>) -> ModelInferRequest {
    let tensor = InferInputTensor {
        name: "input".to_owned(),
        datatype: datatype.to_owned(),
        shape: shape.to_vec(),
        contents,
        ..Default::default()
    };
    ModelInferRequest {
        model_name: "certimix".to_owned(),
        inputs: vec![tensor],
        ..Default::default()
    }
}

/// Returns the request with these outputs requested.
pub fn with_outputs(names: &[&str], request: ModelInferRequest) -> ModelInferRequest {
    let output = |name: &&str| InferRequestedOutputTensor {
        name: (*name).to_owned(),
        ..Default::default()
    };
    ModelInferRequest {
        outputs: names.iter().map(output).collect(),
        ..request
    }
}

/// Returns the request with one more parameter.
pub fn with_parameter(name: &str, choice: ParameterChoice, mut request: ModelInferRequest) -> ModelInferRequest {
    request.parameters.insert(name.to_owned(), parameter(choice));
    request
}

pub fn parameter(choice: ParameterChoice) -> InferParameter {
    InferParameter {
        parameter_choice: Some(choice),
    }
}

/// Returns the bytes of an output, and checks its datatype and shape.
#[track_caller]
pub fn output<'a>(response: &'a ModelInferResponse, name: &str, datatype: &str, shape: &[i64]) -> &'a [u8] {
    assert_eq!(response.outputs.len(), response.raw_output_contents.len());
    let index = response.outputs.iter().position(|output| output.name == name).unwrap();
    let tensor = &response.outputs[index];
    assert_eq!((tensor.datatype.as_str(), tensor.shape.as_slice()), (datatype, shape));
    assert_eq!(tensor.contents, None);
    &response.raw_output_contents[index]
}

/// Returns the values of an FP32 output, and checks its shape.
#[track_caller]
pub fn float_output(response: &ModelInferResponse, name: &str, shape: &[i64]) -> Vec<f32> {
    let (words, rest) = output(response, name, "FP32", shape).as_chunks();
    assert!(rest.is_empty());
    words.iter().map(|&word| f32::from_le_bytes(word)).collect()
}

/// Returns a response parameter if it is a string.
pub fn string_parameter<'a>(response: &'a ModelInferResponse, name: &str) -> Option<&'a str> {
    match response.parameters.get(name)?.parameter_choice.as_ref()? {
        ParameterChoice::StringParam(text) => Some(text),
        _ => None,
    }
}

/// Returns a response parameter if it is a double.
pub fn double_parameter(response: &ModelInferResponse, name: &str) -> Option<f64> {
    match response.parameters.get(name)?.parameter_choice.as_ref()? {
        ParameterChoice::DoubleParam(value) => Some(*value),
        _ => None,
    }
}
