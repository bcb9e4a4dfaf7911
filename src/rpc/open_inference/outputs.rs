//! The outputs there are: the one list that requests are read by, answers written by, and metadata made of.

use super::proto::{DataType, ModelInferRequest};
use super::quoting as words;
use crate::domain::{InputSpec, Violations};

/// Something that can be asked for, of each input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    LogProbs,
    Class,
    Radius,
    Certified,
    StandardProbs,
    RobustProbs,
}

impl Output {
    pub(super) const ALL: [Self; 6] = [
        Self::LogProbs,
        Self::Class,
        Self::Radius,
        Self::Certified,
        Self::StandardProbs,
        Self::RobustProbs,
    ];

    /// What is answered to those who ask for nothing in particular: the two models' own answers cost bytes that few read.
    pub(super) const DEFAULT: [Self; 4] = [Self::LogProbs, Self::Class, Self::Radius, Self::Certified];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::LogProbs => "log_probs",
            Self::Class => "class",
            Self::Radius => "radius",
            Self::Certified => "certified",
            Self::StandardProbs => "standard_probs",
            Self::RobustProbs => "robust_probs",
        }
    }

    pub(super) fn data_type(self) -> DataType {
        match self {
            Self::LogProbs | Self::Radius | Self::StandardProbs | Self::RobustProbs => DataType::TypeFp32,
            Self::Class => DataType::TypeInt64,
            Self::Certified => DataType::TypeBool,
        }
    }

    /// The protocol's word for the same.
    pub(super) fn datatype(self) -> &'static str {
        self.data_type().as_str_name().trim_start_matches("TYPE_")
    }

    /// Its shape for one input, of a model of so many classes.
    pub(super) fn shape(self, classes: usize) -> Vec<i64> {
        match self {
            Self::LogProbs | Self::StandardProbs | Self::RobustProbs => vec![axis(classes)],
            Self::Class | Self::Radius | Self::Certified => Vec::new(),
        }
    }
}

/// The shape of one input of the model.
pub(super) fn input_shape(spec: &InputSpec) -> Vec<i64> {
    spec.shape.iter().map(|&length| axis(length)).collect()
}

/// A length on the wire.
pub(super) fn axis(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// What `request` asks for, in its order.
pub(super) fn requested(request: &ModelInferRequest, wrong: &mut Violations) -> Vec<Output> {
    if request.outputs.is_empty() {
        return Output::DEFAULT.to_vec();
    }
    if request.outputs.len() > Output::ALL.len() {
        let found = request.outputs.len();
        wrong.add(
            "outputs",
            format!("expected each of {} once at most, found {found}", names()),
        );
        return Vec::new();
    }
    let mut outputs = Vec::new();
    for (index, asked) in request.outputs.iter().enumerate() {
        if !asked.parameters.is_empty() {
            wrong.add(
                format!("outputs[{index}].parameters"),
                "expected none: there is no classification extension and no shared memory here",
            );
        }
        match Output::ALL.into_iter().find(|output| output.name() == asked.name) {
            Some(output) if outputs.contains(&output) => wrong.add(
                format!("outputs[{index}].name"),
                format!("expected each output once, found \"{}\" again", output.name()),
            ),
            Some(output) => outputs.push(output),
            None => wrong.add(
                format!("outputs[{index}].name"),
                format!("expected one of {}, found {}", names(), words::quoted(&asked.name)),
            ),
        }
    }
    outputs
}

fn names() -> String {
    Output::ALL.map(Output::name).join(", ")
}
