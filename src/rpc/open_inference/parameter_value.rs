//! Reads and displays the value of a parameter.

use super::proto::infer_parameter::ParameterChoice;
use super::quoting::quoted;

/// The content type that MLServer's clients give to an array of numbers.
pub(super) const NUMPY_CONTENT_TYPE: &str = "np";

/// The most names of unknown parameters in a message.
const MAX_NAMES_SHOWN: usize = 4;

/// The number of unknown parameters, and the first of their quoted `names`.
pub(super) fn others(mut names: Vec<String>) -> String {
    names.sort();
    let count = names.len();
    names.truncate(MAX_NAMES_SHOWN);
    format!("{count} others: {}", names.join(", "))
}

/// An unsigned number. Clients send numbers as int64 or as uint64.
pub(super) fn unsigned(choice: &ParameterChoice) -> Option<u64> {
    match choice {
        ParameterChoice::Int64Param(value) => u64::try_from(*value).ok(),
        ParameterChoice::Uint64Param(value) => Some(*value),
        _ => None,
    }
}

/// Whether a content type stands for an array of numbers, which every input is.
pub(super) fn is_numpy(choice: &ParameterChoice) -> bool {
    matches!(choice, ParameterChoice::StringParam(text) if text == NUMPY_CONTENT_TYPE)
}

/// The value of a parameter, with a text quoted.
pub(super) fn displayed(choice: &ParameterChoice) -> String {
    match choice {
        ParameterChoice::BoolParam(value) => value.to_string(),
        ParameterChoice::Int64Param(value) => value.to_string(),
        ParameterChoice::Uint64Param(value) => value.to_string(),
        ParameterChoice::DoubleParam(value) => value.to_string(),
        ParameterChoice::StringParam(value) => quoted(value),
    }
}
