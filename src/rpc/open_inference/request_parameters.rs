//! Reads the parameters of a request: its priority and its timeout.
//!
//! Every other parameter is a violation. It would change the meaning of the request, and the server
//! would not honour it.

use std::collections::HashMap;

use super::parameter_value::{displayed, is_numpy, others, unsigned};
use super::proto::InferParameter;
use super::proto::infer_parameter::ParameterChoice;
use super::quoting::{quoted, truncated};
use crate::domain::{Priority, Violations};

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
                        displayed(choice)
                    ),
                ),
            },
            "timeout" => match unsigned(choice) {
                Some(timeout_us) => read.timeout_us = timeout_us,
                None => violations.add(
                    "parameters.timeout",
                    format!(
                        "expected microseconds, a whole number, or 0 for none; found {}",
                        displayed(choice)
                    ),
                ),
            },
            // These values mean that there is no sequence, which is always so here.
            "sequence_id" if *choice == ParameterChoice::StringParam(String::new()) || unsigned(choice) == Some(0) => {}
            "sequence_start" | "sequence_end" if *choice == ParameterChoice::BoolParam(false) => {}
            // This concerns the end of streams. perf_analyzer sends it with every request.
            "triton_enable_empty_final_response" if matches!(choice, ParameterChoice::BoolParam(_)) => {}
            // KServe's clients ask for raw contents in the answer, which it always has.
            "binary_data_output" if *choice == ParameterChoice::BoolParam(true) => {}
            "binary_data_output" => violations.add(
                "parameters.binary_data_output",
                "expected true: the values of an answer are always in raw_output_contents",
            ),
            // MLServer's clients name the encoding of the request.
            "content_type" if is_numpy(choice) => {}
            "sequence_id" | "sequence_start" | "sequence_end" => violations.add(
                format!("parameters.{key}"),
                "expected none: this server has no sequences, each request is independent",
            ),
            _ => unknown.push(quoted(key)),
        }
    }
    if !unknown.is_empty() {
        violations.add(
            "parameters",
            format!("expected only priority and timeout, found {}", others(unknown)),
        );
    }
    read
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
            ("binary_data_output", BoolParam(true)),
            ("content_type", StringParam("np".to_owned())),
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
            ("binary_data_output", BoolParam(false)),
        ] {
            assert_eq!(read_one(key, choice), Err(format!("parameters.{key}")));
        }
        assert_eq!(read_one("binary_data", BoolParam(true)), Err("parameters".to_owned()));
    }
}
