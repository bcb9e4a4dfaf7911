//! Builds the model configuration in Triton's format, which some clients request first.

use super::encode::provenance_parameters;
use super::outputs::{InferOutput, input_shape};
use super::proto::infer_parameter::ParameterChoice;
use super::proto::model_config::SchedulingChoice;
use super::proto::{DataType, ModelConfig, ModelDynamicBatching, ModelInput, ModelOutput, ModelParameter};
use super::protocol_constants::{INPUT_NAME, PLATFORM};
use crate::classifier::MixedClassifier;

/// The configuration of the model `name`, which accepts up to `max_inputs` inputs in one request.
pub(super) fn model_config(name: &str, classifier: &MixedClassifier, max_inputs: usize) -> ModelConfig {
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
        max_batch_size: i32::try_from(max_inputs).unwrap_or(i32::MAX),
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
