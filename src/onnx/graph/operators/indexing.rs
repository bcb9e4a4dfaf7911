//! Operators that select, join or copy parts of tensors. None may move a value to another row.

use super::super::abstract_tensor::{AbstractTensor, AxisLength, OperatorResult};
use super::super::resolved_node::ResolvedNode;
use super::super::shape_rules::{normalize_axis, row_axis};

/// Returns the output of the node, or `None` if the operator is of another kind.
pub(in crate::onnx::graph) fn apply(operator: &str, node: &ResolvedNode) -> Option<OperatorResult> {
    Some(match operator {
        "Concat" => concat(node),
        "DepthToSpace" | "SpaceToDepth" => rearrange_blocks(operator, node),
        "Gather" => gather(node),
        "Pad" => pad(node),
        "Slice" => slice(node),
        "Split" => split(node),
        "Tile" => tile(node),
        _ => return None,
    })
}

/// Joins tensors along one axis within the row.
fn concat(node: &ResolvedNode) -> OperatorResult {
    let first = node.required_input(0)?.row_shape()?;
    let axis = row_axis(node.int_attribute("axis", 0), first)?;
    let mut result = first.to_vec();
    for value in node.inputs.iter().flatten().skip(1) {
        let other = value.row_shape()?;
        if other.len() != first.len() {
            return Err("the shapes do not fit".to_owned());
        }
        let sum = result[axis]
            .zip(other[axis])
            .and_then(|(left, right)| left.checked_add(right));
        for (known, &length) in result.iter_mut().zip(other) {
            *known = known.or(length);
        }
        result[axis] = sum;
    }
    Ok(AbstractTensor::PerRow(result))
}

/// Splits one axis of the row. The length of a part is known only if all parts have the same
/// length.
fn split(node: &ResolvedNode) -> OperatorResult {
    let shape = node.required_input(0)?.row_shape()?;
    let axis = row_axis(node.int_attribute("axis", 0), shape)?;
    let sizes = node.ints_attribute_or_input("split", 1)?;
    let mut result = shape.to_vec();
    result[axis] = match sizes {
        Some([first, others @ ..]) if others.iter().all(|other| other == first) => usize::try_from(*first).ok(),
        Some(_) => None,
        None => shape[axis].and_then(|length| {
            let parts = node.proto.outputs.len();
            (length.checked_rem(parts)? == 0).then_some(length / parts)
        }),
    };
    Ok(AbstractTensor::PerRow(result))
}

/// Selects ranges of axes of the row. A range of the batch axis must be the whole axis.
fn slice(node: &ResolvedNode) -> OperatorResult {
    let shape = node.required_input(0)?.row_shape()?;
    let bounds = |name, index| node.ints_attribute_or_input(name, index);
    let starts = bounds("starts", 1)?.ok_or("its start is unknown")?;
    let ends = bounds("ends", 2)?.ok_or("its end is unknown")?;
    let (axes, steps) = (bounds("axes", 3)?, node.integer_input(4)?);
    if ends.len() != starts.len() || [axes, steps].iter().flatten().any(|list| list.len() != starts.len()) {
        return Err("its bounds do not fit".to_owned());
    }
    let mut result = shape.to_vec();
    for (index, (&start, &end)) in starts.iter().zip(ends).enumerate() {
        let axis = match axes {
            Some(axes) => normalize_axis(axes[index], shape.len() + 1)?,
            None => index,
        };
        let step = steps.map_or(1, |steps| steps[index]);
        let Some(within) = axis.checked_sub(1) else {
            if start == 0 && end >= i64::from(i32::MAX) && step == 1 {
                continue;
            }
            return Err("it selects among the rows".to_owned());
        };
        let length = result.get_mut(within).ok_or("it has no such axis")?;
        *length = length.and_then(|length| sliced_length(length, start, end, step));
    }
    Ok(AbstractTensor::PerRow(result))
}

/// Returns how many indices a slice of an axis selects; `None` for a slice that runs backwards.
fn sliced_length(length: usize, start: i64, end: i64, step: i64) -> AxisLength {
    let length = i64::try_from(length).ok()?;
    let bound = |index: i64| {
        let from_front = if index < 0 { index.saturating_add(length) } else { index };
        from_front.clamp(0, length)
    };
    let (start, end) = (bound(start), bound(end));
    if step <= 0 {
        return None;
    }
    usize::try_from((end - start).max(0).div_euclid(step) + i64::from((end - start).max(0) % step != 0)).ok()
}

/// Selects indices along an axis of the row, or looks up each index of the row in a constant table.
fn gather(node: &ResolvedNode) -> OperatorResult {
    let (data, indices) = (node.required_input(0)?, node.required_input(1)?);
    let axis = node.int_attribute("axis", 0);
    match (data, indices) {
        (AbstractTensor::PerRow(shape), AbstractTensor::Constant(indices)) => {
            let axis = row_axis(axis, shape)?;
            let indices_shape = indices.shape.as_deref().ok_or("the shape of its indices is unknown")?;
            let indices_shape: Vec<AxisLength> = indices_shape.iter().map(|&length| Some(length)).collect();
            Ok(AbstractTensor::PerRow(
                [&shape[..axis], &indices_shape, &shape[axis + 1..]].concat(),
            ))
        }
        (AbstractTensor::Constant(table), AbstractTensor::PerRow(indices)) => {
            let table = table.shape.as_deref().ok_or("the shape of its table is unknown")?;
            if normalize_axis(axis, table.len())? != 0 {
                return Err("it puts another axis before the batch axis".to_owned());
            }
            let table_entry: Vec<AxisLength> = table[1..].iter().map(|&length| Some(length)).collect();
            Ok(AbstractTensor::PerRow([indices.as_slice(), &table_entry].concat()))
        }
        _ => Err("it selects among the rows".to_owned()),
    }
}

/// Pads axes of the row.
fn pad(node: &ResolvedNode) -> OperatorResult {
    let shape = node.required_input(0)?.row_shape()?;
    node.require_constant_inputs(1)?;
    let pads = node
        .ints_attribute_or_input("pads", 1)?
        .ok_or("its padding is unknown")?;
    let rank = shape.len() + 1;
    let axes: Vec<usize> = match node.integer_input(3)? {
        Some(axes) => axes
            .iter()
            .map(|&axis| normalize_axis(axis, rank))
            .collect::<Result<_, _>>()?,
        None => (0..rank).collect(),
    };
    if pads.len() != 2 * axes.len() {
        return Err("its padding does not fit".to_owned());
    }
    let (before, after) = pads.split_at(axes.len());
    let mut result = shape.to_vec();
    for (&axis, (&before, &after)) in axes.iter().zip(before.iter().zip(after)) {
        match axis.checked_sub(1) {
            Some(within) => {
                result[within] = (|| {
                    let length = i64::try_from(result[within]?).ok()?;
                    usize::try_from(length.checked_add(before)?.checked_add(after)?).ok()
                })();
            }
            None if before == 0 && after == 0 => {}
            None => return Err("it pads the batch axis".to_owned()),
        }
    }
    Ok(AbstractTensor::PerRow(result))
}

/// Repeats axes of the row.
fn tile(node: &ResolvedNode) -> OperatorResult {
    let shape = node.required_input(0)?.row_shape()?;
    match node.integer_input(1)? {
        Some([1, repeats @ ..]) if repeats.len() == shape.len() => {
            let repeated = |(&length, &times): (&AxisLength, &i64)| length?.checked_mul(usize::try_from(times).ok()?);
            Ok(AbstractTensor::PerRow(
                shape.iter().zip(repeats).map(repeated).collect(),
            ))
        }
        _ => Err("it repeats the rows".to_owned()),
    }
}

/// Moves square blocks of pixels into channels, or back.
fn rearrange_blocks(operator: &str, node: &ResolvedNode) -> OperatorResult {
    let &[channels, height, width] = node.required_input(0)?.row_shape()? else {
        return Err("its input is not an image".to_owned());
    };
    let side = usize::try_from(node.int_attribute("blocksize", 0))
        .ok()
        .filter(|&side| side > 0);
    let side = side.ok_or("its blocksize is unknown")?;
    let square = side.checked_mul(side).ok_or("its blocksize is too large")?;
    let (multiply, divide) = (
        |length: AxisLength, factor: usize| length?.checked_mul(factor),
        |length: AxisLength, factor: usize| length?.checked_div(factor),
    );
    Ok(AbstractTensor::PerRow(if operator == "SpaceToDepth" {
        vec![multiply(channels, square), divide(height, side), divide(width, side)]
    } else {
        vec![divide(channels, square), multiply(height, side), multiply(width, side)]
    }))
}
