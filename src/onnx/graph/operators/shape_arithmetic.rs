//! Shapes as values, and constants that are computed from constants.

use super::super::abstract_tensor::{AbstractTensor, ConstantTensor, OperatorResult, ShapeInteger};
use super::super::protobuf;
use super::super::resolved_node::ResolvedNode;
use super::super::shape_rules::normalize_axis;

/// Returns the output of a node that reads the shape of a tensor, integers computed from shapes, or
/// constants only. Returns `None` if the node has other inputs or the operator is of another kind.
pub(in crate::onnx::graph) fn apply(operator: &str, node: &ResolvedNode) -> Option<OperatorResult> {
    if operator == "Constant" {
        return Some(Ok(AbstractTensor::Constant(constant_of_node(node))));
    }
    if operator == "Shape" {
        return Some(node.required_input(0).and_then(|value| shape_operator(node, value)));
    }
    let inputs: Vec<&AbstractTensor> = node.inputs.iter().flatten().copied().collect();
    if inputs.iter().any(|value| matches!(value, AbstractTensor::PerRow(_))) {
        return None;
    }
    let computed = integer_operator(operator, node, &inputs);
    if inputs.iter().all(|value| matches!(value, AbstractTensor::Constant(_))) {
        // A function of constants is constant for every operator. Operators that draw random
        // numbers are refused earlier.
        let shape = constant_shape(operator, node, &inputs);
        return Some(Ok(computed.unwrap_or(AbstractTensor::weights(shape))));
    }
    // Another file handles an Expand of a constant, because its output has rows.
    if operator == "Expand" {
        return None;
    }
    Some(computed.ok_or_else(|| "it computes with the number of rows".to_owned()))
}

/// Returns the tensor of `integers`: a constant if the number of rows is not among them.
fn tensor_of_integers(integers: Vec<ShapeInteger>, scalar: bool) -> Option<AbstractTensor> {
    if integers.contains(&ShapeInteger::BatchSize) {
        return Some(match (scalar, integers.as_slice()) {
            (true, [one]) => AbstractTensor::ShapeScalar(*one),
            (true, _) => return None,
            (false, _) => AbstractTensor::ShapeVector(integers),
        });
    }
    let shape = Some(if scalar { Vec::new() } else { vec![integers.len()] });
    let integers = integers
        .iter()
        .map(|integer| match integer {
            ShapeInteger::Known(integer) => Some(*integer),
            ShapeInteger::Unknown | ShapeInteger::BatchSize => None,
        })
        .collect();
    Some(AbstractTensor::Constant(ConstantTensor { shape, integers }))
}

/// Returns the value of a `Constant` node.
fn constant_of_node(node: &ResolvedNode) -> ConstantTensor {
    if let Some(tensor) = node.attribute("value").and_then(|value| value.tensor.as_ref()) {
        return constant(tensor);
    }
    if let Some(one) = node.attribute("value_int") {
        return ConstantTensor {
            shape: Some(Vec::new()),
            integers: Some(vec![one.int]),
        };
    }
    if let Some(ints) = node.ints_attribute("value_ints") {
        return ConstantTensor {
            shape: Some(vec![ints.len()]),
            integers: Some(ints.to_vec()),
        };
    }
    ConstantTensor {
        shape: node.attribute("value_float").map(|_| Vec::new()),
        integers: None,
    }
}

/// Returns the shape, and the values of a few integers, of a tensor in the file.
pub(in crate::onnx::graph) fn constant(tensor: &protobuf::TensorProto) -> ConstantTensor {
    let shape = tensor.dims.iter().map(|&length| usize::try_from(length).ok()).collect();
    ConstantTensor {
        shape,
        integers: tensor.integers(),
    }
}

/// Evaluates the Shape operator, with its `start` and `end`.
fn shape_operator(node: &ResolvedNode, value: &AbstractTensor) -> OperatorResult {
    let shape_integer = |length: Option<usize>| {
        let known = length.and_then(|length| i64::try_from(length).ok());
        known.map_or(ShapeInteger::Unknown, ShapeInteger::Known)
    };
    let shape: Vec<ShapeInteger> = match value {
        AbstractTensor::PerRow(shape) => std::iter::once(ShapeInteger::BatchSize)
            .chain(shape.iter().map(|&length| shape_integer(length)))
            .collect(),
        AbstractTensor::Constant(ConstantTensor { shape: Some(shape), .. }) => {
            shape.iter().map(|&length| shape_integer(Some(length))).collect()
        }
        _ => return Err("the shape of its input is unknown".to_owned()),
    };
    let count = i64::try_from(shape.len()).map_err(|error| error.to_string())?;
    let bound = |name, default| {
        let index: i64 = node.int_attribute(name, default);
        let from_front = if index < 0 { index.saturating_add(count) } else { index };
        usize::try_from(from_front.clamp(0, count)).unwrap_or(0)
    };
    let part = shape.get(bound("start", 0)..bound("end", count)).unwrap_or_default();
    tensor_of_integers(part.to_vec(), false).ok_or_else(|| "its shape is unknown".to_owned())
}

/// Evaluates the operators that exporters use to compute shapes. Returns `None` if an integer is
/// unknown or the operator is another one.
fn integer_operator(operator: &str, node: &ResolvedNode, inputs: &[&AbstractTensor]) -> Option<AbstractTensor> {
    let (first, first_is_scalar) = integers(inputs.first()?)?;
    let known_input = |index| node.integer_input(index).ok().flatten();
    match operator {
        "Identity" => tensor_of_integers(first, first_is_scalar),
        // A cast to another type may change the value.
        "Cast"
            if [protobuf::INT32, protobuf::INT64]
                .map(i64::from)
                .contains(&node.int_attribute("to", 0)) =>
        {
            tensor_of_integers(first, first_is_scalar)
        }
        "Squeeze" if first.len() == 1 => tensor_of_integers(first, true),
        "Unsqueeze" if first_is_scalar && matches!(node.ints_attribute_or_input("axes", 1), Ok(Some([0 | -1]))) => {
            tensor_of_integers(first, false)
        }
        "Concat" => {
            let mut all = Vec::new();
            for value in inputs {
                all.extend(integers(value).filter(|(_, scalar)| !scalar)?.0);
            }
            tensor_of_integers(all, false)
        }
        "Gather" if !first_is_scalar => {
            let (indices, scalar) = integers(inputs.get(1)?)?;
            let selected = indices.iter().map(|index| match index {
                ShapeInteger::Known(index) => first.get(normalize_axis(*index, first.len()).ok()?).copied(),
                ShapeInteger::BatchSize | ShapeInteger::Unknown => None,
            });
            tensor_of_integers(selected.collect::<Option<_>>()?, scalar)
        }
        "Slice" if !first_is_scalar => {
            let single = |list: Option<&[i64]>| match list {
                Some([one]) => Some(*one),
                _ => None,
            };
            let (start, end) = (single(known_input(1))?, single(known_input(2))?);
            if node.optional_input(4).is_some() && single(known_input(4)) != Some(1) {
                return None;
            }
            let count = i64::try_from(first.len()).ok()?;
            let bound = |index: i64| {
                let from_front = if index < 0 { index.saturating_add(count) } else { index };
                usize::try_from(from_front.clamp(0, count)).ok()
            };
            tensor_of_integers(
                first.get(bound(start)?..bound(end)?).unwrap_or_default().to_vec(),
                false,
            )
        }
        "Add" | "Sub" | "Mul" | "Div" => {
            let (second, second_is_scalar) = integers(inputs.get(1)?)?;
            let (&[ShapeInteger::Known(left)], &[ShapeInteger::Known(right)]) = (first.as_slice(), second.as_slice())
            else {
                return None;
            };
            let result = match operator {
                "Add" => left.checked_add(right),
                "Sub" => left.checked_sub(right),
                "Mul" => left.checked_mul(right),
                _ => left.checked_div(right),
            };
            tensor_of_integers(vec![ShapeInteger::Known(result?)], first_is_scalar && second_is_scalar)
        }
        _ => None,
    }
}

/// Returns the integers of a vector or a scalar, and whether it is a scalar.
fn integers(value: &AbstractTensor) -> Option<(Vec<ShapeInteger>, bool)> {
    match value {
        AbstractTensor::ShapeVector(integers) => Some((integers.clone(), false)),
        AbstractTensor::ShapeScalar(integer) => Some((vec![*integer], true)),
        AbstractTensor::Constant(ConstantTensor {
            shape: Some(shape),
            integers: Some(integers),
        }) if shape.len() <= 1 => Some((
            integers.iter().map(|&integer| ShapeInteger::Known(integer)).collect(),
            shape.is_empty(),
        )),
        AbstractTensor::Constant(_) | AbstractTensor::PerRow(_) => None,
    }
}

/// Returns the shape of a constant that is computed from constants, such as transposed weights.
fn constant_shape(operator: &str, node: &ResolvedNode, inputs: &[&AbstractTensor]) -> Option<Vec<usize>> {
    let shape = |index: usize| -> Option<&[usize]> {
        match inputs.get(index)? {
            AbstractTensor::Constant(constant) => constant.shape.as_deref(),
            _ => None,
        }
    };
    let first = shape(0)?;
    match operator {
        "Cast" | "DequantizeLinear" | "Identity" | "Neg" | "QuantizeLinear" | "Sqrt" => Some(first.to_vec()),
        "Transpose" => match node.ints_attribute("perm") {
            Some(order) => order
                .iter()
                .map(|&axis| first.get(usize::try_from(axis).ok()?).copied())
                .collect(),
            None => Some(first.iter().rev().copied().collect()),
        },
        "Add" | "Div" | "Mul" | "Sub" => {
            let second = shape(1)?;
            let fits = second.len() <= first.len()
                && first
                    .iter()
                    .rev()
                    .zip(second.iter().rev())
                    .all(|(left, right)| left == right || *right == 1);
            fits.then(|| first.to_vec())
        }
        "ConstantOfShape" | "Reshape" => {
            let requested = node.integer_input(usize::from(operator == "Reshape")).ok()??;
            requested
                .iter()
                .map(|&length| usize::try_from(length).ok().filter(|&length| length > 0))
                .collect()
        }
        _ => None,
    }
}
