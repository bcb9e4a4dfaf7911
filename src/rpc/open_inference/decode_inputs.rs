//! From the tensor of this protocol to validated inputs.

use bytes::Bytes;

use super::INPUT;
use super::proto::model_infer_request::InferInputTensor;
use super::proto::{InferTensorContents, ModelInferRequest};
use super::quoting::quoted;
use crate::domain::{Input, InputSpec, ValueEncoding, Violations};
use crate::rpc::common::tensor_validation::{self as tensor, Names, Part};

/// Takes the inputs out of `request`, or tells everything that is wrong with its tensor.
///
/// # Errors
/// With the field of each violation, in the protocol's names, and what was expected.
pub(super) fn inputs(
    request: &ModelInferRequest,
    spec: &InputSpec,
    max_inputs: usize,
) -> Result<Vec<Input>, Violations> {
    let mut wrong = Violations::default();
    let [tensor] = request.inputs.as_slice() else {
        let found = request.inputs.len();
        wrong.add("inputs", format!("expected one, named \"{INPUT}\"; found {found}"));
        return Err(wrong);
    };
    wrong.check(tensor.name == INPUT, "inputs[0].name", || {
        format!("expected \"{INPUT}\", found {}", quoted(&tensor.name))
    });
    wrong.check(tensor.parameters.is_empty(), "inputs[0].parameters", || {
        "expected none: there is no shared memory here, and no encoding but that of the datatype".to_owned()
    });
    let written_as = match tensor.datatype.as_str() {
        "UINT8" => Ok(ValueEncoding::UInt8),
        "FP32" => Ok(ValueEncoding::Float32),
        other => Err(quoted(other)),
    };
    let known = written_as.as_ref().ok().copied();
    let contents = contents(tensor, &request.raw_input_contents, known, &mut wrong);
    let raw = contents.as_ref().is_some_and(|contents| contents.raw);
    let field = |part| match part {
        Part::Type => "inputs[0].datatype".to_owned(),
        Part::Shape => "inputs[0].shape".to_owned(),
        Part::Data if raw => "raw_input_contents[0]".to_owned(),
        Part::Data => format!("inputs[0].contents.{}", known.map_or("", list)),
    };
    let names = Names {
        field: &field,
        float32: "FP32",
        in_bytes: raw,
    };
    let layout = tensor::layout(written_as, &tensor.shape, (spec, max_inputs), &names, &mut wrong);
    let (Some(layout), Some(contents)) = (layout, contents) else {
        return Err(wrong);
    };
    let inputs = tensor::inputs(layout, &contents.bytes, spec, &names);
    wrong
        .0
        .extend(inputs.as_ref().err().into_iter().flat_map(|more| more.0.clone()));
    wrong.into_result().and(inputs)
}

/// The values of a tensor, little-endian, and where they stood.
struct Contents {
    bytes: Bytes,
    raw: bool,
}

/// Nothing is returned if something is wrong, or the type is not known, which is told elsewhere.
fn contents(
    tensor: &InferInputTensor,
    raw: &[Bytes],
    written_as: Option<ValueEncoding>,
    wrong: &mut Violations,
) -> Option<Contents> {
    let typed = tensor.contents.as_ref();
    let typed = typed.filter(|contents| lists(contents).iter().any(|(_, count)| *count > 0));
    match (raw, typed) {
        ([bytes], None) => {
            return Some(Contents {
                bytes: bytes.clone(),
                raw: true,
            });
        }
        ([], Some(contents)) => {
            let bytes = typed_bytes(contents, written_as?, wrong)?;
            return Some(Contents { bytes, raw: false });
        }
        ([], None) => wrong.add(
            "inputs[0].contents",
            "is required: expected the values here, or in raw_input_contents",
        ),
        (_, Some(_)) => wrong.add(
            "raw_input_contents",
            "expected the values here or in inputs[0].contents, found both",
        ),
        (more, None) => {
            let found = more.len();
            wrong.add(
                "raw_input_contents",
                format!("expected one, for the one input; found {found}"),
            );
        }
    }
    None
}

fn typed_bytes(contents: &InferTensorContents, written_as: ValueEncoding, wrong: &mut Violations) -> Option<Bytes> {
    let wanted = list(written_as);
    let mut alone = true;
    for (name, _) in lists(contents)
        .into_iter()
        .filter(|(name, count)| *count > 0 && *name != wanted)
    {
        alone = false;
        wrong.add(
            format!("inputs[0].contents.{name}"),
            format!("expected none: the values belong into {wanted} for this datatype"),
        );
    }
    if !alone {
        return None;
    }
    match written_as {
        ValueEncoding::Float32 => {
            let values = &contents.fp32_contents;
            Some(values.iter().flat_map(|value| value.to_le_bytes()).collect())
        }
        ValueEncoding::UInt8 => {
            let values = &contents.uint_contents;
            let bytes: Result<Vec<u8>, _> = values.iter().map(|&value| u8::try_from(value)).collect();
            if bytes.is_err() {
                let found = values.iter().max().copied().unwrap_or_default();
                wrong.add(
                    "inputs[0].contents.uint_contents",
                    format!("expected values from 0 to 255 for UINT8, found {found}"),
                );
            }
            bytes.ok().map(Bytes::from)
        }
    }
}

/// The list that values of this type belong into.
fn list(written_as: ValueEncoding) -> &'static str {
    match written_as {
        ValueEncoding::UInt8 => "uint_contents",
        ValueEncoding::Float32 => "fp32_contents",
    }
}

/// Each list with its length.
fn lists(contents: &InferTensorContents) -> [(&'static str, usize); 8] {
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
        fn nothing_from_outside_panics(
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
                    name: INPUT.to_owned(),
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
                match inputs(&request, &spec, 4) {
                    Ok(found) => prop_assert!(found.iter().all(|input| input.dimension() == 6)),
                    Err(wrong) => prop_assert!(!wrong.0.is_empty()),
                }
            }
        }
    }
}
