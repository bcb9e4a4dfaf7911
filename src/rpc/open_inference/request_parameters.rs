//! Reads the parameters of a request: its priority and its timeout.
//!
//! Every other parameter is a violation. It would change the meaning of the request, and the server
//! would not honour it.

use std::collections::HashMap;

use super::proto::InferParameter;
use super::proto::infer_parameter::ParameterChoice;
use super::quoting::{quoted, truncated};
use crate::domain::{Priority, Violations};

/// The most names of unknown parameters in a message.
const MAX_NAMES_SHOWN: usize = 4;

/// The parameters that the server honours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct RequestParameters {
    /// `None` for the default. On the wire, 0 is the default, 1 is interactive and 2 is bulk.
    pub(super) priority: Option<Priority>,
    /// The timeout in microseconds from the arrival of the request; 0 for none.
    pub(super) timeout_us: u64,
}

/// Reads `parameters`, and records every violation.
pub(super) fn read_parameters(
    parameters: &HashMap<String, InferParameter>,
    violations: &mut Violations,
) -> RequestParameters {
    let mut read = RequestParameters::default();
    let mut unknown = Vec::new();
    for (key, parameter) in parameters {
        let Some(choice) = &parameter.parameter_choice else {
            violations.add(format!("parameters.{}", truncated(key)), "expected a value, found none");
            continue;
        };
        match key.as_str() {
            "priority" => match unsigned(choice) {
                Some(0) => read.priority = None,
                Some(1) => read.priority = Some(Priority::Interactive),
                Some(2) => read.priority = Some(Priority::Bulk),
                _ => violations.add(
                    "parameters.priority",
                    format!(
                        "expected 0 for the default, 1 (interactive) or 2 (bulk), found {}",
                        display(choice)
                    ),
                ),
            },
            "timeout" => match unsigned(choice) {
                Some(timeout_us) => read.timeout_us = timeout_us,
                None => violations.add(
                    "parameters.timeout",
                    format!(
                        "expected microseconds, a whole number, or 0 for none; found {}",
                        display(choice)
                    ),
                ),
            },
            // These values mean that there is no sequence, which is always so here.
            "sequence_id" if *choice == ParameterChoice::StringParam(String::new()) || unsigned(choice) == Some(0) => {}
            "sequence_start" | "sequence_end" if *choice == ParameterChoice::BoolParam(false) => {}
            // This concerns the end of streams. perf_analyzer sends it with every request.
            "triton_enable_empty_final_response" if matches!(choice, ParameterChoice::BoolParam(_)) => {}
            "sequence_id" | "sequence_start" | "sequence_end" => violations.add(
                format!("parameters.{key}"),
                "expected none: this server has no sequences, each request is independent",
            ),
            _ => unknown.push(quoted(key)),
        }
    }
    if !unknown.is_empty() {
        unknown.sort();
        let count = unknown.len();
        unknown.truncate(MAX_NAMES_SHOWN);
        let names = unknown.join(", ");
        violations.add(
            "parameters",
            format!("expected only priority and timeout, found {count} others: {names}"),
        );
    }
    read
}

/// An unsigned number. Clients send numbers as int64 or as uint64.
fn unsigned(choice: &ParameterChoice) -> Option<u64> {
    match choice {
        ParameterChoice::Int64Param(value) => u64::try_from(*value).ok(),
        ParameterChoice::Uint64Param(value) => Some(*value),
        _ => None,
    }
}

fn display(choice: &ParameterChoice) -> String {
    match choice {
        ParameterChoice::BoolParam(value) => value.to_string(),
        ParameterChoice::Int64Param(value) => value.to_string(),
        ParameterChoice::Uint64Param(value) => value.to_string(),
        ParameterChoice::DoubleParam(value) => value.to_string(),
        ParameterChoice::StringParam(value) => quoted(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(key: &str, choice: ParameterChoice) -> Result<RequestParameters, String> {
        let parameter = InferParameter {
            parameter_choice: Some(choice),
        };
        let mut violations = Violations::default();
        let read = read_parameters(&HashMap::from([(key.to_owned(), parameter)]), &mut violations);
        match violations.0.first() {
            None => Ok(read),
            Some(violation) => Err(violation.field.clone()),
        }
    }

    #[test]
    fn numbers_are_read_as_int64_and_as_uint64() {
        use ParameterChoice::{BoolParam, DoubleParam, Int64Param, StringParam, Uint64Param};
        let read = |priority, timeout_us| Ok(RequestParameters { priority, timeout_us });
        assert_eq!(read_one("priority", Uint64Param(2)), read(Some(Priority::Bulk), 0));
        assert_eq!(
            read_one("priority", Int64Param(1)),
            read(Some(Priority::Interactive), 0)
        );
        assert_eq!(read_one("timeout", Int64Param(1500)), read(None, 1500));
        for (key, no_effect) in [
            ("sequence_id", Int64Param(0)),
            ("sequence_id", StringParam(String::new())),
            ("sequence_start", BoolParam(false)),
            ("triton_enable_empty_final_response", BoolParam(true)),
        ] {
            assert_eq!(read_one(key, no_effect), read(None, 0), "{key}");
        }
        for (key, choice) in [
            ("priority", Uint64Param(3)),
            ("priority", Int64Param(-1)),
            ("priority", StringParam("1".to_owned())),
            ("timeout", Int64Param(-1)),
            ("timeout", DoubleParam(1.0)),
            ("sequence_id", Uint64Param(7)),
            ("sequence_id", StringParam("seven".to_owned())),
            ("sequence_end", BoolParam(true)),
        ] {
            assert_eq!(read_one(key, choice), Err(format!("parameters.{key}")));
        }
        assert_eq!(read_one("binary_data", BoolParam(true)), Err("parameters".to_owned()));
    }
}
