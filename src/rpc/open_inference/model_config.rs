//! Builds the model configuration in Triton's format, which some clients request first.

use super::encode::provenance_parameters;
use super::outputs::{InferOutput, answer_size, input_shape};
use super::proto::infer_parameter::ParameterChoice;
use super::proto::model_config::SchedulingChoice;
use super::proto::{DataType, ModelConfig, ModelDynamicBatching, ModelInput, ModelOutput, ModelParameter};
use super::protocol_constants::{INPUT_NAME, PLATFORM};
use crate::classifier::MixedClassifier;
use crate::domain::ValueEncoding;
use crate::live::Snapshot;
use crate::settings::ServerSettings;

/// The configuration of the model `name` that `snapshot` serves.
pub(super) fn model_config(name: &str, snapshot: &Snapshot) -> ModelConfig {
    let Snapshot { classifier, server } = snapshot;
    let classes = classifier.labels().len();
    let output = |output: InferOutput| ModelOutput {
        name: output.name().to_owned(),
        data_type: output.data_type().into(),
        dims: output.shape(classes),
    };
    let parameter = |(name, value): (&'static str, ParameterChoice)| {
        let string_value = match value {
            ParameterChoice::StringParam(value) => value,
            ParameterChoice::DoubleParam(value) => value.to_string(),
            ParameterChoice::BoolParam(value) => value.to_string(),
            ParameterChoice::Int64Param(value) => value.to_string(),
            ParameterChoice::Uint64Param(value) => value.to_string(),
        };
        (name.to_owned(), ModelParameter { string_value })
    };
    ModelConfig {
        name: name.to_owned(),
        platform: PLATFORM.to_owned(),
        backend: env!("CARGO_PKG_NAME").to_owned(),
        max_batch_size: i32::try_from(max_batch_size(classifier, server)).unwrap_or(i32::MAX),
        input: vec![ModelInput {
            name: INPUT_NAME.to_owned(),
            data_type: DataType::TypeFp32.into(),
            dims: input_shape(classifier.spec()),
        }],
        output: InferOutput::ALL.map(output).to_vec(),
        parameters: provenance_parameters(classifier.provenance())
            .into_iter()
            .map(parameter)
            .collect(),
        // Level 1 is interactive, which is the default. Level 2 is bulk.
        scheduling_choice: Some(SchedulingChoice::DynamicBatching(ModelDynamicBatching {
            priority_levels: 2,
            default_priority_level: 1,
        })),
    }
}

/// The most inputs of the declared datatype, FP32, that fit a request, and whose answers with every
/// output fit a response. At most `server.max_inputs`.
fn max_batch_size(classifier: &MixedClassifier, server: &ServerSettings) -> usize {
    let limits = server.message_limits();
    let requested = limits.inputs_in_request(classifier.spec(), ValueEncoding::Float32);
    let answered = limits.inputs_in_response(answer_size(&InferOutput::ALL, classifier.labels().len()));
    server.max_inputs.min(requested).min(answered)
}
