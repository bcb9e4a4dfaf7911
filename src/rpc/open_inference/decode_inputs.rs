//! Decodes the tensor of a ModelInferRequest into validated inputs.

use bytes::Bytes;

use super::proto::model_infer_request::InferInputTensor;
use super::proto::{InferTensorContents, ModelInferRequest};
use super::protocol_constants::INPUT_NAME;
use super::quoting::quoted;
use super::tensor_parameters::check_input_parameters;
use crate::domain::{Input, InputSpec, ValueEncoding, Violations};
use crate::rpc::common::tensor_validation::{ProtocolNames, TensorField, check_layout, split_inputs};

/// Decodes the tensor of `request` into at most `max_inputs` inputs of the model.
///
/// # Errors
/// Each wrong field, by the protocol's name, and what was expected.
pub(super) fn decode_inputs(
    request: &ModelInferRequest,
    spec: &InputSpec,
    max_inputs: usize,
) -> Result<Vec<Input>, Violations> {
    let mut violations = Violations::default();
    let [tensor] = request.inputs.as_slice() else {
        let found = request.inputs.len();
        violations.add("inputs", format!("expected one, named \"{INPUT_NAME}\"; found {found}"));
        return Err(violations);
    };
    violations.check(tensor.name == INPUT_NAME, "inputs[0].name", || {
        format!("expected \"{INPUT_NAME}\", found {}", quoted(&tensor.name))
    });
    check_input_parameters(tensor, &request.raw_input_contents, &mut violations);
    let data_type = match tensor.datatype.as_str() {
        "UINT8" => Ok(ValueEncoding::UInt8),
        "FP32" => Ok(ValueEncoding::Float32),
        other => Err(quoted(other)),
    };
    let known_type = data_type.as_ref().ok().copied();
    let data = tensor_data(tensor, &request.raw_input_contents, known_type, &mut violations);
    let is_raw = data.as_ref().is_some_and(|data| data.is_raw);
    let field_name = |field| match field {
        TensorField::DataType => "inputs[0].datatype".to_owned(),
        TensorField::Shape => "inputs[0].shape".to_owned(),
        TensorField::Data if is_raw => "raw_input_contents[0]".to_owned(),
        TensorField::Data => format!("inputs[0].contents.{}", known_type.map_or("", list_for)),
    };
    let names = ProtocolNames {
        field: &field_name,
        float32: "FP32",
        counts_bytes: is_raw,
    };
    let layout = check_layout(data_type, &tensor.shape, (spec, max_inputs), &names, &mut violations);
    let (Some(layout), Some(data)) = (layout, data) else {
        return Err(violations);
    };
    let inputs = split_inputs(layout, &data.bytes, spec, &names);
    if let Err(more) = &inputs {
        violations.0.extend(more.0.iter().cloned());
    }
    violations.into_result().and(inputs)
}

/// The values of a tensor in little-endian bytes, and whether the request carried them as raw
/// bytes.
struct TensorData {
    bytes: Bytes,
    is_raw: bool,
}

/// Takes the values from `raw` or from the typed contents of `tensor`.
///
/// Returns `None` if something is wrong, or if the data type is unknown, which the layout check
/// reports.
fn tensor_data(
    tensor: &InferInputTensor,
    raw: &[Bytes],
    data_type: Option<ValueEncoding>,
    violations: &mut Violations,
) -> Option<TensorData> {
    let typed = tensor.contents.as_ref();
    let typed = typed.filter(|contents| list_lengths(contents).iter().any(|(_, count)| *count > 0));
    match (raw, typed) {
        ([bytes], None) => {
            return Some(TensorData {
                bytes: bytes.clone(),
                is_raw: true,
            });
        }
        ([], Some(contents)) => {
            let bytes = typed_bytes(contents, data_type?, violations)?;
            return Some(TensorData { bytes, is_raw: false });
        }
        ([], None) => violations.add(
            "inputs[0].contents",
            "is required: expected the values here, or in raw_input_contents",
        ),
        (_, Some(_)) => violations.add(
            "raw_input_contents",
            "expected the values here or in inputs[0].contents, found both",
        ),
        (more, None) => {
            let found = more.len();
            violations.add(
                "raw_input_contents",
                format!("expected one, for the one input; found {found}"),
            );
        }
    }
    None
}

/// Converts typed contents to little-endian bytes. Only the list for `data_type` may hold values.
fn typed_bytes(contents: &InferTensorContents, data_type: ValueEncoding, violations: &mut Violations) -> Option<Bytes> {
    let expected_list = list_for(data_type);
    let mut has_other_lists = false;
    for (name, _) in list_lengths(contents)
        .into_iter()
        .filter(|(name, count)| *count > 0 && *name != expected_list)
    {
        has_other_lists = true;
        violations.add(
            format!("inputs[0].contents.{name}"),
            format!("expected none: for this datatype the values belong in {expected_list}"),
        );
    }
    if has_other_lists {
        return None;
    }
    match data_type {
        ValueEncoding::Float32 => {
            let values = &contents.fp32_contents;
            Some(values.iter().flat_map(|value| value.to_le_bytes()).collect())
        }
        ValueEncoding::UInt8 => {
            let values = &contents.uint_contents;
            let bytes: Result<Vec<u8>, _> = values.iter().map(|&value| u8::try_from(value)).collect();
            if bytes.is_err() {
                let found = values.iter().max().copied().unwrap_or_default();
                violations.add(
                    "inputs[0].contents.uint_contents",
                    format!("expected values from 0 to 255 for UINT8, found {found}"),
                );
            }
            bytes.ok().map(Bytes::from)
        }
    }
}

/// The name of the list that holds the values of `data_type`.
fn list_for(data_type: ValueEncoding) -> &'static str {
    match data_type {
        ValueEncoding::UInt8 => "uint_contents",
        ValueEncoding::Float32 => "fp32_contents",
    }
}

/// The name and length of each list.
fn list_lengths(contents: &InferTensorContents) -> [(&'static str, usize); 8] {
    [
        ("bool_contents", contents.bool_contents.len()),
        ("int_contents", contents.int_contents.len()),
        ("int64_contents", contents.int64_contents.len()),
        ("uint_contents", contents.uint_contents.len()),
        ("uint64_contents", contents.uint64_contents.len()),
        ("fp32_contents", contents.fp32_contents.len()),
        ("fp64_contents", contents.fp64_contents.len()),
        ("bytes_contents", contents.bytes_contents.len()),
    ]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_request_causes_a_panic(
            datatype in "UINT8|FP32|FP64",
            shape in prop::collection::vec(any::<i64>(), 0..4),
            rows in 0..4i64,
            raw in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..3),
            fp32_contents in prop::collection::vec(any::<f32>(), 0..8),
            uint_contents in prop::collection::vec(0..300u32, 0..8),
        ) {
            let spec = InputSpec { name: "x".to_owned(), shape: vec![2, 3], low: 0.0, high: 1.0, levels: None };
            let contents = InferTensorContents { fp32_contents, uint_contents, ..Default::default() };
            for shape in [shape, vec![rows, 2, 3]] {
                let tensor = InferInputTensor {
                    name: INPUT_NAME.to_owned(),
                    datatype: datatype.clone(),
                    shape,
                    contents: Some(contents.clone()),
                    ..Default::default()
                };
                let request = ModelInferRequest {
                    inputs: vec![tensor],
                    raw_input_contents: raw.iter().cloned().map(Bytes::from).collect(),
                    ..Default::default()
                };
                match decode_inputs(&request, &spec, 4) {
                    Ok(found) => prop_assert!(found.iter().all(|input| input.dimension() == 6)),
                    Err(violations) => prop_assert!(!violations.0.is_empty()),
                }
            }
        }
    }
}
