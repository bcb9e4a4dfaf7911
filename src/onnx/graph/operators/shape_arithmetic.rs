//! Shapes as values, and constants that are computed from constants.

use super::node::Node;
use super::value::{Constant, Proven, Size, Value, axis};
use super::wire;

/// What an operator makes of the shape of a tensor, of integers that were computed from shapes, or of constants alone; none if it is
/// not given any such input, or if it is another's to say.
pub(super) fn apply(operator: &str, node: &Node) -> Option<Proven> {
    if operator == "Constant" {
        return Some(Ok(Value::Constant(given(node))));
    }
    if operator == "Shape" {
        return Some(node.input(0).and_then(|value| shape_of(node, value)));
    }
    let given: Vec<&Value> = node.inputs.iter().flatten().copied().collect();
    if given.iter().any(|value| matches!(value, Value::Rows(_))) {
        return None;
    }
    let computed = compute(operator, node, &given);
    if given.iter().all(|value| matches!(value, Value::Constant(_))) {
        // A function of constants is constant, whatever the operator: those that draw random numbers are refused before.
        let shape = constant_shape(operator, node, &given);
        return Some(Ok(computed.unwrap_or(Value::weights(shape))));
    }
    // An Expand of a constant is of another kind: it makes rows.
    if operator == "Expand" {
        return None;
    }
    Some(computed.ok_or_else(|| "it computes with the number of rows".to_owned()))
}

/// Sizes without the number of rows are a constant.
fn settled(sizes: Vec<Size>, scalar: bool) -> Option<Value> {
    if sizes.contains(&Size::Batch) {
        return Some(match (scalar, sizes.as_slice()) {
            (true, [one]) => Value::Size(*one),
            (true, _) => return None,
            (false, _) => Value::Sizes(sizes),
        });
    }
    let integers = sizes
        .iter()
        .map(|size| match size {
            Size::Known(integer) => Some(*integer),
            Size::Fixed | Size::Batch => None,
        })
        .collect();
    let shape = Some(if scalar { Vec::new() } else { vec![sizes.len()] });
    Some(Value::Constant(Constant { shape, integers }))
}

/// The value of a Constant node.
fn given(node: &Node) -> Constant {
    if let Some(tensor) = node.attribute("value").and_then(|value| value.tensor.as_ref()) {
        return constant(tensor);
    }
    if let Some(one) = node.attribute("value_int") {
        return Constant {
            shape: Some(Vec::new()),
            integers: Some(vec![one.int]),
        };
    }
    if let Some(ints) = node.ints("value_ints") {
        return Constant {
            shape: Some(vec![ints.len()]),
            integers: Some(ints.to_vec()),
        };
    }
    Constant {
        shape: node.attribute("value_float").map(|_| Vec::new()),
        integers: None,
    }
}

/// A tensor of the file.
pub(super) fn constant(tensor: &wire::Tensor) -> Constant {
    let shape = tensor.dims.iter().map(|&length| usize::try_from(length).ok()).collect();
    Constant {
        shape,
        integers: tensor.integers(),
    }
}

fn shape_of(node: &Node, value: &Value) -> Proven {
    let fixed = |length: Option<usize>| {
        let known = length.and_then(|length| i64::try_from(length).ok());
        known.map_or(Size::Fixed, Size::Known)
    };
    let sizes: Vec<Size> = match value {
        Value::Rows(shape) => std::iter::once(Size::Batch)
            .chain(shape.iter().map(|&length| fixed(length)))
            .collect(),
        Value::Constant(Constant { shape: Some(shape), .. }) => {
            shape.iter().map(|&length| fixed(Some(length))).collect()
        }
        _ => return Err("the shape of its input is not known".to_owned()),
    };
    let count = i64::try_from(sizes.len()).map_err(|error| error.to_string())?;
    let bound = |name, default| {
        let given: i64 = node.int(name, default);
        let counted = if given < 0 { given.saturating_add(count) } else { given };
        usize::try_from(counted.clamp(0, count)).unwrap_or(0)
    };
    let part = sizes.get(bound("start", 0)..bound("end", count)).unwrap_or_default();
    settled(part.to_vec(), false).ok_or_else(|| "its shape is not known".to_owned())
}

/// The operators that exporters write shapes with. None where the integers are not known, or the operator is another.
fn compute(operator: &str, node: &Node, given: &[&Value]) -> Option<Value> {
    let (first, first_is_scalar) = integers(given.first()?)?;
    let whole = |index| node.integers(index).ok().flatten();
    match operator {
        "Identity" => settled(first, first_is_scalar),
        // A cast to another type may change the number.
        "Cast" if [wire::INT32, wire::INT64].map(i64::from).contains(&node.int("to", 0)) => {
            settled(first, first_is_scalar)
        }
        "Squeeze" if first.len() == 1 => settled(first, true),
        "Unsqueeze" if first_is_scalar && matches!(node.ints_or_input("axes", 1), Ok(Some([0 | -1]))) => {
            settled(first, false)
        }
        "Concat" => {
            let mut all = Vec::new();
            for value in given {
                all.extend(integers(value).filter(|(_, scalar)| !scalar)?.0);
            }
            settled(all, false)
        }
        "Gather" if !first_is_scalar => {
            let (indices, scalar) = integers(given.get(1)?)?;
            let picked = indices.iter().map(|index| match index {
                Size::Known(index) => first.get(axis(*index, first.len()).ok()?).copied(),
                Size::Batch | Size::Fixed => None,
            });
            settled(picked.collect::<Option<_>>()?, scalar)
        }
        "Slice" if !first_is_scalar => {
            let one = |list: Option<&[i64]>| match list {
                Some([one]) => Some(*one),
                _ => None,
            };
            let (start, end) = (one(whole(1))?, one(whole(2))?);
            if node.optional(4).is_some() && one(whole(4)) != Some(1) {
                return None;
            }
            let count = i64::try_from(first.len()).ok()?;
            let bound = |index: i64| {
                let counted = if index < 0 { index.saturating_add(count) } else { index };
                usize::try_from(counted.clamp(0, count)).ok()
            };
            settled(
                first.get(bound(start)?..bound(end)?).unwrap_or_default().to_vec(),
                false,
            )
        }
        "Add" | "Sub" | "Mul" | "Div" => {
            let (second, second_is_scalar) = integers(given.get(1)?)?;
            let (&[Size::Known(left)], &[Size::Known(right)]) = (first.as_slice(), second.as_slice()) else {
                return None;
            };
            let result = match operator {
                "Add" => left.checked_add(right),
                "Sub" => left.checked_sub(right),
                "Mul" => left.checked_mul(right),
                _ => left.checked_div(right),
            };
            settled(vec![Size::Known(result?)], first_is_scalar && second_is_scalar)
        }
        _ => None,
    }
}

/// A vector or one number of integers, and whether it is one number.
fn integers(value: &Value) -> Option<(Vec<Size>, bool)> {
    match value {
        Value::Sizes(sizes) => Some((sizes.clone(), false)),
        Value::Size(size) => Some((vec![*size], true)),
        Value::Constant(Constant {
            shape: Some(shape),
            integers: Some(integers),
        }) if shape.len() <= 1 => Some((
            integers.iter().map(|&integer| Size::Known(integer)).collect(),
            shape.is_empty(),
        )),
        Value::Constant(_) | Value::Rows(_) => None,
    }
}

/// The shape of weights that are stored otherwise than they are used.
fn constant_shape(operator: &str, node: &Node, given: &[&Value]) -> Option<Vec<usize>> {
    let shape = |index: usize| -> Option<&[usize]> {
        match given.get(index)? {
            Value::Constant(constant) => constant.shape.as_deref(),
            _ => None,
        }
    };
    let first = shape(0)?;
    match operator {
        "Cast" | "DequantizeLinear" | "Identity" | "Neg" | "QuantizeLinear" | "Sqrt" => Some(first.to_vec()),
        "Transpose" => match node.ints("perm") {
            Some(order) => order
                .iter()
                .map(|&at| first.get(usize::try_from(at).ok()?).copied())
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
            let asked = node.integers(usize::from(operator == "Reshape")).ok()??;
            asked
                .iter()
                .map(|&length| usize::try_from(length).ok().filter(|&length| length > 0))
                .collect()
        }
        _ => None,
    }
}
