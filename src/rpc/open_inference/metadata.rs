//! Builds the responses to ServerMetadata and ModelMetadata.

use super::outputs::{InferOutput, input_shape};
use super::proto::model_metadata_response::TensorMetadata;
use super::proto::{ModelMetadataResponse, ServerMetadataResponse};
use super::protocol_constants::{INPUT_NAME, MODEL_VERSION, PLATFORM};
use crate::classifier::MixedClassifier;

/// The Triton extensions that this server supports: ModelConfig, ModelStatistics, and the
/// parameters priority and timeout.
const EXTENSIONS: [&str; 3] = ["model_configuration", "statistics", "schedule_policy"];

/// The metadata of the server.
pub(super) fn server_metadata() -> ServerMetadataResponse {
    ServerMetadataResponse {
        name: env!("CARGO_PKG_NAME").to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        extensions: EXTENSIONS.map(str::to_owned).to_vec(),
    }
}

/// The metadata of the model under the name `name`.
///
/// The protocol has one datatype for each input, which is FP32. The server also accepts UINT8 where
/// [`crate::domain::InputSpec::accepts_uint8`] holds.
pub(super) fn model_metadata(name: &str, classifier: &MixedClassifier) -> ModelMetadataResponse {
    let tensor = |name: &str, datatype: &str, shape: Vec<i64>| TensorMetadata {
        name: name.to_owned(),
        datatype: datatype.to_owned(),
        shape: std::iter::once(-1).chain(shape).collect(),
    };
    let classes = classifier.labels().len();
    ModelMetadataResponse {
        name: name.to_owned(),
        versions: vec![MODEL_VERSION.to_owned()],
        platform: PLATFORM.to_owned(),
        inputs: vec![tensor(INPUT_NAME, "FP32", input_shape(classifier.spec()))],
        outputs: InferOutput::ALL
            .map(|output| tensor(output.name(), output.datatype(), output.shape(classes)))
            .to_vec(),
    }
}
