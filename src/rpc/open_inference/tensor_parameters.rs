//! Checks the parameters of the input and of the requested outputs.
//!
//! Clients for several transports describe the encoding of a tensor in its parameters, also where the
//! message says the same. The server accepts such a parameter if it agrees with the message. Every
//! other one is a violation: it would change the meaning of the request, and the server would not
//! honour it.

use std::collections::HashMap;

use bytes::Bytes;

use super::parameter_value::{NUMPY_CONTENT_TYPE, displayed, is_numpy, others, unsigned};
use super::proto::InferParameter;
use super::proto::infer_parameter::ParameterChoice;
use super::proto::model_infer_request::{InferInputTensor, InferRequestedOutputTensor};
use super::quoting::{quoted, truncated};
use crate::domain::Violations;

/// Records a violation for each parameter of the one input, `tensor`, that does not agree with its
/// datatype or with `raw`, the raw contents of the request.
pub(super) fn check_input_parameters(tensor: &InferInputTensor, raw: &[Bytes], violations: &mut Violations) {
    let mut unknown = Vec::new();
    for (name, choice) in sorted(&tensor.parameters) {
        let field = || format!("inputs[0].parameters.{}", truncated(name));
        match (name, choice) {
            // KServe's client states the length of the raw contents.
            ("binary_data_size", Some(choice)) => match (raw, unsigned(choice)) {
                ([bytes], Some(size)) if u64::try_from(bytes.len()) == Ok(size) => {}
                ([bytes], _) => violations.add(
                    field(),
                    format!(
                        "expected {}, the number of bytes in raw_input_contents[0]; found {}",
                        bytes.len(),
                        displayed(choice)
                    ),
                ),
                _ => violations.add(field(), "expected none without exactly one entry in raw_input_contents"),
            },
            ("content_type", Some(choice)) if is_numpy(choice) => {}
            ("content_type", Some(choice)) => {
                let found = displayed(choice);
                violations.add(field(), format!("expected \"{NUMPY_CONTENT_TYPE}\", found {found}"));
            }
            ("shared_memory_region" | "shared_memory_offset" | "shared_memory_byte_size", _) => violations.add(
                field(),
                "expected none: this server has no shared memory; send the values in raw_input_contents",
            ),
            _ => unknown.push(quoted(name)),
        }
    }
    if !unknown.is_empty() {
        violations.add(
            "inputs[0].parameters",
            format!(
                "expected only binary_data_size and content_type, found {}",
                others(unknown)
            ),
        );
    }
}

/// Records a violation for each parameter of the output `requested`, number `index` of the request,
/// that the server does not honour.
pub(super) fn check_output_parameters(
    index: usize,
    requested: &InferRequestedOutputTensor,
    violations: &mut Violations,
) {
    let mut unknown = Vec::new();
    for (name, choice) in sorted(&requested.parameters) {
        match (name, choice) {
            ("binary_data", Some(ParameterChoice::BoolParam(true))) => {}
            ("binary_data", _) => violations.add(
                format!("outputs[{index}].parameters.binary_data"),
                "expected true: the values of an answer are always in raw_output_contents",
            ),
            _ => unknown.push(quoted(name)),
        }
    }
    if !unknown.is_empty() {
        violations.add(
            format!("outputs[{index}].parameters"),
            format!(
                "expected only binary_data, found {}; this server has no classification extension and no shared memory",
                others(unknown)
            ),
        );
    }
}

/// The parameters in the order of their names, so that equal requests get equal errors.
fn sorted(parameters: &HashMap<String, InferParameter>) -> Vec<(&str, Option<&ParameterChoice>)> {
    let mut sorted: Vec<_> = parameters
        .iter()
        .map(|(name, parameter)| (name.as_str(), parameter.parameter_choice.as_ref()))
        .collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use ParameterChoice::{BoolParam, Int64Param, StringParam, Uint64Param};

    fn parameters(name: &str, choice: Option<ParameterChoice>) -> HashMap<String, InferParameter> {
        let parameter = InferParameter {
            parameter_choice: choice,
        };
        HashMap::from([(name.to_owned(), parameter)])
    }

    fn input_violations(name: &str, choice: Option<ParameterChoice>, raw: &[Bytes]) -> Vec<String> {
        let tensor = InferInputTensor {
            parameters: parameters(name, choice),
            ..Default::default()
        };
        let mut violations = Violations::default();
        check_input_parameters(&tensor, raw, &mut violations);
        violations
            .0
            .into_iter()
            .map(|found| format!("{}: {}", found.field, found.message))
            .collect()
    }

    #[test]
    fn a_size_must_be_that_of_the_bytes() {
        let raw = [Bytes::from_static(&[0; 16])];
        let of = |choice| input_violations("binary_data_size", Some(choice), &raw);
        assert!(of(Int64Param(16)).is_empty() && of(Uint64Param(16)).is_empty());
        for wrong in [
            Int64Param(15),
            Int64Param(-16),
            StringParam("16".to_owned()),
            BoolParam(true),
        ] {
            let found = of(wrong);
            assert!(
                found.len() == 1 && found[0].starts_with("inputs[0].parameters.binary_data_size: expected 16, "),
                "{found:?}"
            );
        }
        for raw in [&[][..], &[raw[0].clone(), raw[0].clone()]] {
            let found = input_violations("binary_data_size", Some(Int64Param(16)), raw);
            assert_eq!(found.len(), 1, "{found:?}");
        }
        assert_eq!(input_violations("binary_data_size", None, &raw).len(), 1);
    }

    #[test]
    fn other_parameters_are_refused_by_name() {
        let raw = [Bytes::from_static(&[0; 16])];
        let text = |text: &str| Some(StringParam(text.to_owned()));
        assert!(input_violations("content_type", text("np"), &raw).is_empty());
        for (name, choice, expected) in [
            ("content_type", text("str"), "expected \"np\", found \"str\""),
            ("shared_memory_region", text("r"), "no shared memory"),
            ("scale", text("2"), "expected only binary_data_size"),
        ] {
            let found = input_violations(name, choice, &raw);
            assert!(found.len() == 1 && found[0].contains(expected), "{found:?}");
        }
    }

    #[test]
    fn an_output_is_always_binary() {
        for (name, choice, accepted) in [
            ("binary_data", BoolParam(true), true),
            ("binary_data", BoolParam(false), false),
            ("classification", Int64Param(2), false),
        ] {
            let requested = InferRequestedOutputTensor {
                parameters: parameters(name, Some(choice)),
                ..Default::default()
            };
            let mut violations = Violations::default();
            check_output_parameters(0, &requested, &mut violations);
            assert_eq!(violations.0.is_empty(), accepted, "{name}: {violations}");
        }
    }
}
