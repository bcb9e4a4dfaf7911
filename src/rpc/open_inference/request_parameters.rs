//! The parameters of a request: how urgent it is, and how long it may take.
//!
//! Whatever else there may be is refused: it would change what is meant, and not what is answered.

use std::collections::HashMap;

use super::proto::InferParameter;
use super::proto::infer_parameter::ParameterChoice;
use super::quoting as words;
use crate::domain::Violations;

/// Names of parameters that are shown when they are not known, at most.
const MOST_SHOWN: usize = 4;

/// What a request says beside its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Parameters {
    /// A number of `certimix.v1.Priority`, which are this protocol's: 0 for the default, and 1 before 2.
    pub(super) priority: i32,
    /// As `PredictStreamRequest.timeout_us`; 0 for none.
    pub(super) timeout_us: u64,
}

/// Reads `parameters`, or tells everything that is wrong with them.
pub(super) fn read(parameters: &HashMap<String, InferParameter>, wrong: &mut Violations) -> Parameters {
    let mut read = Parameters::default();
    let mut unknown = Vec::new();
    for (key, parameter) in parameters {
        let Some(choice) = &parameter.parameter_choice else {
            wrong.add(
                format!("parameters.{}", words::short(key)),
                "expected a value, found none",
            );
            continue;
        };
        match key.as_str() {
            "priority" => match whole(choice).and_then(|priority| i32::try_from(priority).ok()) {
                Some(priority @ 0..=2) => read.priority = priority,
                _ => wrong.add(
                    "parameters.priority",
                    format!(
                        "expected 0 for the default, 1 (interactive) or 2 (bulk), found {}",
                        shown(choice)
                    ),
                ),
            },
            "timeout" => match whole(choice) {
                Some(timeout_us) => read.timeout_us = timeout_us,
                None => wrong.add(
                    "parameters.timeout",
                    format!(
                        "expected microseconds, a whole number, or 0 for none; found {}",
                        shown(choice)
                    ),
                ),
            },
            // What says that there is no sequence changes nothing.
            "sequence_id" if *choice == ParameterChoice::StringParam(String::new()) || whole(choice) == Some(0) => {}
            "sequence_start" | "sequence_end" if *choice == ParameterChoice::BoolParam(false) => {}
            // It is about the end of streams. perf_analyzer sends it with every request.
            "triton_enable_empty_final_response" if matches!(choice, ParameterChoice::BoolParam(_)) => {}
            "sequence_id" | "sequence_start" | "sequence_end" => wrong.add(
                format!("parameters.{key}"),
                "expected none: every request stands for itself, there are no sequences",
            ),
            _ => unknown.push(words::quoted(key)),
        }
    }
    if !unknown.is_empty() {
        unknown.sort();
        let count = unknown.len();
        unknown.truncate(MOST_SHOWN);
        let names = unknown.join(", ");
        wrong.add(
            "parameters",
            format!("expected none but priority and timeout, found {count} others: {names}"),
        );
    }
    read
}

/// Clients write numbers as either.
fn whole(choice: &ParameterChoice) -> Option<u64> {
    match choice {
        ParameterChoice::Int64Param(value) => u64::try_from(*value).ok(),
        ParameterChoice::Uint64Param(value) => Some(*value),
        _ => None,
    }
}

fn shown(choice: &ParameterChoice) -> String {
    match choice {
        ParameterChoice::BoolParam(value) => value.to_string(),
        ParameterChoice::Int64Param(value) => value.to_string(),
        ParameterChoice::Uint64Param(value) => value.to_string(),
        ParameterChoice::DoubleParam(value) => value.to_string(),
        ParameterChoice::StringParam(value) => words::quoted(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(key: &str, choice: ParameterChoice) -> Result<Parameters, String> {
        let parameter = InferParameter {
            parameter_choice: Some(choice),
        };
        let mut wrong = Violations::default();
        let read = read(&HashMap::from([(key.to_owned(), parameter)]), &mut wrong);
        match wrong.0.first() {
            None => Ok(read),
            Some(violation) => Err(violation.field.clone()),
        }
    }

    #[test]
    fn numbers_are_read_as_clients_write_them() {
        use ParameterChoice::{BoolParam, DoubleParam, Int64Param, StringParam, Uint64Param};
        let read = |priority, timeout_us| Ok(Parameters { priority, timeout_us });
        assert_eq!(read_one("priority", Uint64Param(2)), read(2, 0));
        assert_eq!(read_one("priority", Int64Param(1)), read(1, 0));
        assert_eq!(read_one("timeout", Int64Param(1500)), read(0, 1500));
        for (key, nothing) in [
            ("sequence_id", Int64Param(0)),
            ("sequence_id", StringParam(String::new())),
            ("sequence_start", BoolParam(false)),
            ("triton_enable_empty_final_response", BoolParam(true)),
        ] {
            assert_eq!(read_one(key, nothing), read(0, 0), "{key}");
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
