//! The rules of axes and shapes that all operators share.

use super::abstract_tensor::{AbstractTensor, AxisLength, OperatorResult};

/// Returns `axis` of a tensor with `rank` axes, counted from the front.
pub(super) fn normalize_axis(axis: i64, rank: usize) -> Result<usize, String> {
    let rank = i64::try_from(rank).map_err(|error| error.to_string())?;
    let from_front = if axis < 0 { axis.checked_add(rank) } else { Some(axis) };
    from_front
        .filter(|axis| (0..rank).contains(axis))
        .and_then(|axis| usize::try_from(axis).ok())
        .ok_or_else(|| format!("it has no axis {axis}"))
}

/// Returns the position within the row of an axis of rows of `shape`. The axis must not be the
/// batch axis.
pub(super) fn row_axis(axis: i64, shape: &[AxisLength]) -> Result<usize, String> {
    match normalize_axis(axis, shape.len() + 1)?.checked_sub(1) {
        Some(within) => Ok(within),
        None => Err("it works along the batch axis".to_owned()),
    }
}

/// Returns the number of elements of a shape, if every length is known.
pub(super) fn element_count(shape: &[AxisLength]) -> AxisLength {
    shape
        .iter()
        .try_fold(1usize, |product, length| product.checked_mul((*length)?))
}

/// Returns the shape of tensors that are broadcast to one another. The batch axis must stay the
/// first axis of the result. Otherwise an element could combine two rows, or different rows could
/// use different parts of a constant.
pub(super) fn broadcast(values: &[&AbstractTensor]) -> OperatorResult {
    let mut rank = 0;
    for value in values {
        rank = rank.max(match value {
            AbstractTensor::PerRow(shape) => shape.len() + 1,
            _ => constant_shape(value)?.len(),
        });
    }
    let mut result: Vec<AxisLength> = vec![Some(1); rank];
    let mut has_rows = false;
    for value in values {
        let mut shape: Vec<AxisLength>;
        if let AbstractTensor::PerRow(row_shape) = value {
            has_rows = true;
            if row_shape.len() + 1 != rank {
                return Err("the batch axis is paired with another axis".to_owned());
            }
            // The batch axis counts as length 1 here: a constant must not be longer than 1 there.
            shape = vec![Some(1)];
            shape.extend(row_shape);
        } else {
            shape = constant_shape(value)?.iter().map(|&length| Some(length)).collect();
            if shape.len() == rank && shape.first().is_some_and(|&length| length != Some(1)) {
                return Err("a constant has one entry per row".to_owned());
            }
        }
        let skipped = rank - shape.len();
        for (known, length) in result.iter_mut().skip(skipped).zip(shape) {
            *known = match (*known, length) {
                (Some(1), other) | (other, Some(1)) => other,
                (Some(length), None) | (None, Some(length)) => Some(length),
                (left, right) if left == right => left,
                _ => return Err("the shapes do not fit".to_owned()),
            };
        }
    }
    if !has_rows || rank == 0 {
        return Err("no input depends on the rows".to_owned());
    }
    result.remove(0);
    Ok(AbstractTensor::PerRow(result))
}

/// Returns the shape of a constant.
fn constant_shape(value: &AbstractTensor) -> Result<&[usize], String> {
    value
        .constant()?
        .shape
        .as_deref()
        .ok_or_else(|| "the shape of a constant is unknown".to_owned())
}
