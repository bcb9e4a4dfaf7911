//! Operators that change the shape of a tensor, or the order of its axes.

use super::super::abstract_tensor::{AbstractTensor, AxisLength, OperatorResult, ShapeInteger};
use super::super::resolved_node::ResolvedNode;
use super::super::shape_rules::{element_count, normalize_axis, row_axis};

/// Returns the output of the node, or `None` if the operator is of another kind.
pub(in crate::onnx::graph) fn apply(operator: &str, node: &ResolvedNode) -> Option<OperatorResult> {
    Some(match operator {
        "Expand" => expand(node),
        "Flatten" => flatten(node),
        "Reshape" => reshape(node),
        "Squeeze" => squeeze(node),
        "Transpose" => transpose(node),
        "Unsqueeze" => unsqueeze(node),
        _ => return None,
    })
}

/// Returns the integers of a shape input. Some may be the number of rows.
fn requested_shape(value: &AbstractTensor) -> Result<Vec<ShapeInteger>, String> {
    match value {
        AbstractTensor::ShapeVector(lengths) => Ok(lengths.clone()),
        AbstractTensor::Constant(constant) => match &constant.integers {
            Some(integers) => Ok(integers.iter().map(|&integer| ShapeInteger::Known(integer)).collect()),
            None => Err("its shape is unknown".to_owned()),
        },
        AbstractTensor::PerRow(_) | AbstractTensor::ShapeScalar(_) => Err("its shape depends on the rows".to_owned()),
    }
}

/// Keeps each row if the first requested length is the number of rows. It also keeps each row if
/// the first length is inferred and the other lengths make up exactly one row.
fn reshape(node: &ResolvedNode) -> OperatorResult {
    let shape = node.required_input(0)?.row_shape()?;
    let requested = requested_shape(node.required_input(1)?)?;
    let zero_copies = node.int_attribute("allowzero", 0) == 0;
    let Some((first, rest)) = requested.split_first() else {
        return Err("it merges rows".to_owned());
    };
    let mut result: Vec<AxisLength> = Vec::with_capacity(rest.len());
    let mut inferred = None;
    for (index, length) in rest.iter().enumerate() {
        result.push(match length {
            ShapeInteger::BatchSize => return Err("a row's shape depends on the number of rows".to_owned()),
            ShapeInteger::Unknown => None,
            // Zero copies the axis at the same position. It is an axis of the row, because the
            // batch axis comes first in both shapes.
            ShapeInteger::Known(0) if zero_copies => {
                *shape.get(index).ok_or("it copies an axis that does not exist")?
            }
            ShapeInteger::Known(-1) if inferred.is_none() => {
                inferred = Some(index);
                Some(1)
            }
            ShapeInteger::Known(length) => Some(usize::try_from(*length).map_err(|_| "its shape is negative")?),
        });
    }
    match first {
        ShapeInteger::BatchSize => {}
        ShapeInteger::Known(0) if zero_copies => {}
        ShapeInteger::Known(-1)
            if inferred.is_none()
                && element_count(&result).is_some()
                && element_count(&result) == element_count(shape) =>
        {
            return Ok(AbstractTensor::PerRow(result));
        }
        _ => return Err("an output row may contain parts of several input rows".to_owned()),
    }
    if let Some(inferred) = inferred {
        result[inferred] = element_count(shape)
            .zip(element_count(&result))
            .and_then(|(all, others)| all.checked_div(others));
    }
    Ok(AbstractTensor::PerRow(result))
}

/// Flattens each row into a vector.
fn flatten(node: &ResolvedNode) -> OperatorResult {
    let shape = node.required_input(0)?.row_shape()?;
    let axis = node.int_attribute("axis", 1);
    if axis != 1 && normalize_axis(axis, shape.len() + 1)? != 1 {
        return Err("it merges rows".to_owned());
    }
    Ok(AbstractTensor::PerRow(vec![element_count(shape)]))
}

/// Broadcasts a tensor to a shape. A constant becomes the same value for each row.
fn expand(node: &ResolvedNode) -> OperatorResult {
    let requested = requested_shape(node.required_input(1)?)?;
    let Some((first, rest)) = requested.split_first() else {
        return Err("its shape is a scalar".to_owned());
    };
    let fits = match node.required_input(0)? {
        AbstractTensor::PerRow(shape) => {
            shape.len() == rest.len() && matches!(first, ShapeInteger::BatchSize | ShapeInteger::Known(1))
        }
        AbstractTensor::Constant(constant) => {
            let shape = constant.shape.as_deref().ok_or("the shape of a constant is unknown")?;
            let is_shared_by_rows = shape.len() < requested.len() || (shape.len() == requested.len() && shape[0] == 1);
            *first == ShapeInteger::BatchSize && is_shared_by_rows
        }
        _ => false,
    };
    if !fits || rest.contains(&ShapeInteger::BatchSize) {
        return Err("a row's shape depends on the number of rows".to_owned());
    }
    Ok(AbstractTensor::PerRow(vec![None; rest.len()]))
}

/// Removes axes of the row.
fn squeeze(node: &ResolvedNode) -> OperatorResult {
    let shape = node.required_input(0)?.row_shape()?;
    let axes = node.ints_attribute_or_input("axes", 1)?.unwrap_or_default();
    if axes.is_empty() {
        return Err("a single row would lose its batch axis".to_owned());
    }
    let axes = axes
        .iter()
        .map(|&axis| row_axis(axis, shape))
        .collect::<Result<Vec<_>, _>>()?;
    let kept = shape.iter().enumerate().filter(|(index, _)| !axes.contains(index));
    Ok(AbstractTensor::PerRow(kept.map(|(_, &length)| length).collect()))
}

/// Inserts axes into the row.
fn unsqueeze(node: &ResolvedNode) -> OperatorResult {
    let shape = node.required_input(0)?.row_shape()?;
    let axes = node.ints_attribute_or_input("axes", 1)?.unwrap_or_default();
    let result: Vec<AxisLength> = vec![None; shape.len() + axes.len()];
    let mut new_axes = axes
        .iter()
        .map(|&axis| row_axis(axis, &result))
        .collect::<Result<Vec<_>, _>>()?;
    new_axes.sort_unstable();
    let mut result = shape.to_vec();
    for axis in new_axes {
        if axis > result.len() {
            return Err("its axes do not fit".to_owned());
        }
        result.insert(axis, Some(1));
    }
    Ok(AbstractTensor::PerRow(result))
}

/// Permutes the axes of the row. The batch axis stays first.
fn transpose(node: &ResolvedNode) -> OperatorResult {
    let shape = node.required_input(0)?.row_shape()?;
    let order = match node.ints_attribute("perm") {
        Some(order) => order
            .iter()
            .map(|&axis| normalize_axis(axis, shape.len() + 1))
            .collect::<Result<Vec<_>, _>>()?,
        None => (0..=shape.len()).rev().collect(),
    };
    match order.split_first() {
        Some((0, rest)) if rest.len() == shape.len() => {
            let lengths = rest
                .iter()
                .map(|&axis| shape.get(axis.wrapping_sub(1)).copied().flatten());
            Ok(AbstractTensor::PerRow(lengths.collect()))
        }
        _ => Err("it moves the batch axis".to_owned()),
    }
}
