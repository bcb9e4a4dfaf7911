//! What the server and its model are, in the protocol's words.

use super::outputs::{Output, input_shape};
use super::proto::model_metadata_response::TensorMetadata;
use super::proto::{ModelMetadataResponse, ServerMetadataResponse};
use super::{INPUT, PLATFORM, VERSION};
use crate::classifier::MixedClassifier;

/// Those of Triton's extensions that are true here: ModelConfig, ModelStatistics, and the parameters priority and timeout.
const EXTENSIONS: [&str; 3] = ["model_configuration", "statistics", "schedule_policy"];

pub(super) fn server() -> ServerMetadataResponse {
    ServerMetadataResponse {
        name: env!("CARGO_PKG_NAME").to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        extensions: EXTENSIONS.map(str::to_owned).to_vec(),
    }
}

/// UINT8 is taken as well where [`crate::domain::InputSpec::accepts_uint8`] holds: the protocol has one datatype an input.
pub(super) fn model(name: &str, classifier: &MixedClassifier) -> ModelMetadataResponse {
    let tensor = |name: &str, datatype: &str, one: Vec<i64>| TensorMetadata {
        name: name.to_owned(),
        datatype: datatype.to_owned(),
        shape: std::iter::once(-1).chain(one).collect(),
    };
    let classes = classifier.labels().len();
    ModelMetadataResponse {
        name: name.to_owned(),
        versions: vec![VERSION.to_owned()],
        platform: PLATFORM.to_owned(),
        inputs: vec![tensor(INPUT, "FP32", input_shape(classifier.spec()))],
        outputs: Output::ALL
            .map(|output| tensor(output.name(), output.datatype(), output.shape(classes)))
            .to_vec(),
    }
}
