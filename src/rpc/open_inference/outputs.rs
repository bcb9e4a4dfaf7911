//! The list of available outputs. Requests, responses and metadata use this one list.

use super::proto::{DataType, ModelInferRequest};
use super::quoting::quoted;
use super::tensor_parameters::check_output_parameters;
use crate::domain::{AnswerSize, InputSpec, Violations};

/// A value that a request can select. Each input has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InferOutput {
    LogProbs,
    Class,
    Radius,
    Certified,
    StandardProbs,
    RobustProbs,
    RobustWeight,
}

impl InferOutput {
    pub(super) const ALL: [Self; 7] = [
        Self::LogProbs,
        Self::Class,
        Self::Radius,
        Self::Certified,
        Self::StandardProbs,
        Self::RobustProbs,
        Self::RobustWeight,
    ];

    /// The outputs of a request that names none. The parts of the mixture are left out: they cost
    /// bytes, and few callers read them.
    pub(super) const DEFAULT: [Self; 4] = [Self::LogProbs, Self::Class, Self::Radius, Self::Certified];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::LogProbs => "log_probs",
            Self::Class => "class",
            Self::Radius => "radius",
            Self::Certified => "certified",
            Self::StandardProbs => "standard_probs",
            Self::RobustProbs => "robust_probs",
            Self::RobustWeight => "robust_weight",
        }
    }

    pub(super) fn data_type(self) -> DataType {
        match self {
            Self::LogProbs | Self::Radius | Self::StandardProbs | Self::RobustProbs | Self::RobustWeight => {
                DataType::TypeFp32
            }
            Self::Class => DataType::TypeInt64,
            Self::Certified => DataType::TypeBool,
        }
    }

    /// The data type as the protocol's strings name it.
    pub(super) fn datatype(self) -> &'static str {
        self.data_type().as_str_name().trim_start_matches("TYPE_")
    }

    /// The bytes for one input of a model with `classes` classes.
    pub(super) fn bytes(self, classes: usize) -> usize {
        let width = match self.data_type() {
            DataType::TypeInt64 => 8,
            DataType::TypeBool => 1,
            _ => 4,
        };
        match self {
            Self::LogProbs | Self::StandardProbs | Self::RobustProbs => classes.saturating_mul(width),
            Self::Class | Self::Radius | Self::Certified | Self::RobustWeight => width,
        }
    }

    /// The shape for one input of a model with `classes` classes.
    pub(super) fn shape(self, classes: usize) -> Vec<i64> {
        match self {
            Self::LogProbs | Self::StandardProbs | Self::RobustProbs => vec![wire_i64(classes)],
            Self::Class | Self::Radius | Self::Certified | Self::RobustWeight => Vec::new(),
        }
    }
}

/// The size of an answer with these outputs.
pub(super) fn answer_size(outputs: &[InferOutput], classes: usize) -> AnswerSize {
    AnswerSize::of_tensors(outputs.iter().map(|output| output.bytes(classes)).sum())
}

/// The shape of one input of the model.
pub(super) fn input_shape(spec: &InputSpec) -> Vec<i64> {
    spec.shape.iter().map(|&length| wire_i64(length)).collect()
}

/// Converts a length or an index to the integer type of the wire.
pub(super) fn wire_i64(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// The outputs that `request` selects, in its order.
pub(super) fn requested_outputs(request: &ModelInferRequest, violations: &mut Violations) -> Vec<InferOutput> {
    if request.outputs.is_empty() {
        return InferOutput::DEFAULT.to_vec();
    }
    if request.outputs.len() > InferOutput::ALL.len() {
        let found = request.outputs.len();
        violations.add(
            "outputs",
            format!("expected each of {} once at most, found {found}", output_names()),
        );
        return Vec::new();
    }
    let mut outputs = Vec::new();
    for (index, requested) in request.outputs.iter().enumerate() {
        check_output_parameters(index, requested, violations);
        match InferOutput::ALL
            .into_iter()
            .find(|output| output.name() == requested.name)
        {
            Some(output) if outputs.contains(&output) => violations.add(
                format!("outputs[{index}].name"),
                format!("expected each output once, found \"{}\" again", output.name()),
            ),
            Some(output) => outputs.push(output),
            None => violations.add(
                format!("outputs[{index}].name"),
                format!("expected one of {}, found {}", output_names(), quoted(&requested.name)),
            ),
        }
    }
    outputs
}

fn output_names() -> String {
    InferOutput::ALL.map(InferOutput::name).join(", ")
}
