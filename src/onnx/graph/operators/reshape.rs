//! Operators that move values and compute nothing: none may move a value from one row to another.

use super::node::Node;
use super::value::{Length, Proven, Size, Value, axis, axis_within_row, volume};

/// What an operator of this kind makes of its inputs; none for an operator of another kind.
pub(super) fn apply(operator: &str, node: &Node) -> Option<Proven> {
    Some(match operator {
        "Concat" => concatenate(node),
        "DepthToSpace" | "SpaceToDepth" => blocks(operator, node),
        "Expand" => expand(node),
        "Flatten" => flatten(node),
        "Gather" => gather(node),
        "Pad" => pad(node),
        "Reshape" => reshape(node),
        "Slice" => slice(node),
        "Split" => split(node),
        "Squeeze" => squeeze(node),
        "Tile" => tile(node),
        "Transpose" => transpose(node),
        "Unsqueeze" => unsqueeze(node),
        _ => return None,
    })
}

fn concatenate(node: &Node) -> Proven {
    let first = node.input(0)?.rows()?;
    let axis = axis_within_row(node.int("axis", 0), first)?;
    let mut result = first.to_vec();
    for value in node.inputs.iter().flatten().skip(1) {
        let other = value.rows()?;
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
    Ok(Value::Rows(result))
}

fn blocks(operator: &str, node: &Node) -> Proven {
    let &[channels, height, width] = node.input(0)?.rows()? else {
        return Err("its input is no image".to_owned());
    };
    let side = usize::try_from(node.int("blocksize", 0)).ok().filter(|&side| side > 0);
    let side = side.ok_or("its blocksize is not known")?;
    let square = side.checked_mul(side).ok_or("its blocksize is too large")?;
    let (more, fewer) = (
        |length: Length, factor: usize| length?.checked_mul(factor),
        |length: Length, factor: usize| length?.checked_div(factor),
    );
    Ok(Value::Rows(if operator == "SpaceToDepth" {
        vec![more(channels, square), fewer(height, side), fewer(width, side)]
    } else {
        vec![fewer(channels, square), more(height, side), more(width, side)]
    }))
}

fn flatten(node: &Node) -> Proven {
    let shape = node.input(0)?.rows()?;
    let given = node.int("axis", 1);
    if given != 1 && axis(given, shape.len() + 1)? != 1 {
        return Err("it lays rows end to end".to_owned());
    }
    Ok(Value::Rows(vec![volume(shape)]))
}

/// Where an index of the row is taken from, or which row of a table an index of the row names.
fn gather(node: &Node) -> Proven {
    let (data, indices) = (node.input(0)?, node.input(1)?);
    let given = node.int("axis", 0);
    match (data, indices) {
        (Value::Rows(shape), Value::Constant(indices)) => {
            let at = axis_within_row(given, shape)?;
            let of_indices = indices
                .shape
                .as_deref()
                .ok_or("the shape of its indices is not known")?;
            let of_indices: Vec<Length> = of_indices.iter().map(|&length| Some(length)).collect();
            Ok(Value::Rows([&shape[..at], &of_indices, &shape[at + 1..]].concat()))
        }
        (Value::Constant(table), Value::Rows(indices)) => {
            let table = table.shape.as_deref().ok_or("the shape of its table is not known")?;
            if axis(given, table.len())? != 0 {
                return Err("it puts another axis before the batch axis".to_owned());
            }
            let entry: Vec<Length> = table[1..].iter().map(|&length| Some(length)).collect();
            Ok(Value::Rows([indices.as_slice(), &entry].concat()))
        }
        _ => Err("it picks among the rows".to_owned()),
    }
}

fn pad(node: &Node) -> Proven {
    let shape = node.input(0)?.rows()?;
    node.constants_from(1)?;
    let pads = node.ints_or_input("pads", 1)?.ok_or("its padding is not known")?;
    let rank = shape.len() + 1;
    let axes: Vec<usize> = match node.integers(3)? {
        Some(axes) => axes.iter().map(|&given| axis(given, rank)).collect::<Result<_, _>>()?,
        None => (0..rank).collect(),
    };
    if pads.len() != 2 * axes.len() {
        return Err("its padding does not fit".to_owned());
    }
    let (before, after) = pads.split_at(axes.len());
    let mut result = shape.to_vec();
    for (&at, (&before, &after)) in axes.iter().zip(before.iter().zip(after)) {
        match at.checked_sub(1) {
            Some(within) => {
                result[within] = (|| {
                    let length = i64::try_from(result[within]?).ok()?;
                    usize::try_from(length.checked_add(before)?.checked_add(after)?).ok()
                })();
            }
            None if before == 0 && after == 0 => {}
            None => return Err("it pads the batch".to_owned()),
        }
    }
    Ok(Value::Rows(result))
}

/// The sizes that a shape is asked for by: numbers, and perhaps the number of rows.
fn sizes(value: &Value) -> Result<Vec<Size>, String> {
    match value {
        Value::Sizes(sizes) => Ok(sizes.clone()),
        Value::Constant(constant) => match &constant.integers {
            Some(integers) => Ok(integers.iter().map(|&integer| Size::Known(integer)).collect()),
            None => Err("its shape is not known".to_owned()),
        },
        Value::Rows(_) | Value::Size(_) => Err("its shape depends on the rows".to_owned()),
    }
}

/// A row stays a row if the first length asked for is the number of rows, or if the others together are just one row.
fn reshape(node: &Node) -> Proven {
    let shape = node.input(0)?.rows()?;
    let asked = sizes(node.input(1)?)?;
    let zero_copies = node.int("allowzero", 0) == 0;
    let Some((first, rest)) = asked.split_first() else {
        return Err("it lays rows end to end".to_owned());
    };
    let mut result: Vec<Length> = Vec::with_capacity(rest.len());
    let mut open = None;
    for (index, size) in rest.iter().enumerate() {
        result.push(match size {
            Size::Batch => return Err("a row's shape depends on the number of rows".to_owned()),
            Size::Fixed => None,
            // The axis of the same place, which is one of the row: the batch axis is before both.
            Size::Known(0) if zero_copies => *shape.get(index).ok_or("it copies an axis that is not there")?,
            Size::Known(-1) if open.is_none() => {
                open = Some(index);
                Some(1)
            }
            Size::Known(length) => Some(usize::try_from(*length).map_err(|_| "its shape is negative")?),
        });
    }
    match first {
        Size::Batch => {}
        Size::Known(0) if zero_copies => {}
        Size::Known(-1) if open.is_none() && volume(&result).is_some() && volume(&result) == volume(shape) => {
            return Ok(Value::Rows(result));
        }
        _ => return Err("a row of its output need not be a row of its input".to_owned()),
    }
    if let Some(open) = open {
        result[open] = volume(shape)
            .zip(volume(&result))
            .and_then(|(all, others)| all.checked_div(others));
    }
    Ok(Value::Rows(result))
}

/// Copies of what there is once, for each row the same.
fn expand(node: &Node) -> Proven {
    let asked = sizes(node.input(1)?)?;
    let Some((first, rest)) = asked.split_first() else {
        return Err("its shape is one number".to_owned());
    };
    let fits = match node.input(0)? {
        Value::Rows(shape) => shape.len() == rest.len() && matches!(first, Size::Batch | Size::Known(1)),
        Value::Constant(constant) => {
            let shape = constant
                .shape
                .as_deref()
                .ok_or("the shape of a constant is not known")?;
            let one_for_all = shape.len() < asked.len() || (shape.len() == asked.len() && shape[0] == 1);
            *first == Size::Batch && one_for_all
        }
        _ => false,
    };
    if !fits || rest.contains(&Size::Batch) {
        return Err("a row's shape depends on the number of rows".to_owned());
    }
    Ok(Value::Rows(vec![None; rest.len()]))
}

fn slice(node: &Node) -> Proven {
    let shape = node.input(0)?.rows()?;
    let given = |name, index| node.ints_or_input(name, index);
    let starts = given("starts", 1)?.ok_or("its start is not known")?;
    let ends = given("ends", 2)?.ok_or("its end is not known")?;
    let (axes, steps) = (given("axes", 3)?, node.integers(4)?);
    if ends.len() != starts.len() || [axes, steps].iter().flatten().any(|list| list.len() != starts.len()) {
        return Err("its bounds do not fit".to_owned());
    }
    let mut result = shape.to_vec();
    for (index, (&start, &end)) in starts.iter().zip(ends).enumerate() {
        let at = match axes {
            Some(axes) => axis(axes[index], shape.len() + 1)?,
            None => index,
        };
        let step = steps.map_or(1, |steps| steps[index]);
        let Some(within) = at.checked_sub(1) else {
            if start == 0 && end >= i64::from(i32::MAX) && step == 1 {
                continue;
            }
            return Err("it picks among the rows".to_owned());
        };
        let length = result.get_mut(within).ok_or("it has no such axis")?;
        *length = length.and_then(|length| steps_between(length, start, end, step));
    }
    Ok(Value::Rows(result))
}

/// How many indices a slice of an axis takes; forwards only.
fn steps_between(length: usize, start: i64, end: i64, step: i64) -> Length {
    let length = i64::try_from(length).ok()?;
    let bound = |index: i64| {
        let counted = if index < 0 { index.saturating_add(length) } else { index };
        counted.clamp(0, length)
    };
    let (start, end) = (bound(start), bound(end));
    if step <= 0 {
        return None;
    }
    usize::try_from((end - start).max(0).div_euclid(step) + i64::from((end - start).max(0) % step != 0)).ok()
}

/// All parts are rows; they are of different lengths, which nothing needs, but for parts that are alike.
fn split(node: &Node) -> Proven {
    let shape = node.input(0)?.rows()?;
    let at = axis_within_row(node.int("axis", 0), shape)?;
    let sizes = node.ints_or_input("split", 1)?;
    let mut result = shape.to_vec();
    result[at] = match sizes {
        Some([first, others @ ..]) if others.iter().all(|other| other == first) => usize::try_from(*first).ok(),
        Some(_) => None,
        None => shape[at].and_then(|length| {
            let parts = node.wire.outputs.len();
            (length.checked_rem(parts)? == 0).then_some(length / parts)
        }),
    };
    Ok(Value::Rows(result))
}

fn squeeze(node: &Node) -> Proven {
    let shape = node.input(0)?.rows()?;
    let axes = node.ints_or_input("axes", 1)?.unwrap_or_default();
    if axes.is_empty() {
        return Err("a single row would lose its batch axis".to_owned());
    }
    let axes = axes
        .iter()
        .map(|&given| axis_within_row(given, shape))
        .collect::<Result<Vec<_>, _>>()?;
    let kept = shape.iter().enumerate().filter(|(index, _)| !axes.contains(index));
    Ok(Value::Rows(kept.map(|(_, &length)| length).collect()))
}

fn unsqueeze(node: &Node) -> Proven {
    let shape = node.input(0)?.rows()?;
    let axes = node.ints_or_input("axes", 1)?.unwrap_or_default();
    let result: Vec<Length> = vec![None; shape.len() + axes.len()];
    let mut new = axes
        .iter()
        .map(|&given| axis_within_row(given, &result))
        .collect::<Result<Vec<_>, _>>()?;
    new.sort_unstable();
    let mut result = shape.to_vec();
    for at in new {
        if at > result.len() {
            return Err("its axes do not fit".to_owned());
        }
        result.insert(at, Some(1));
    }
    Ok(Value::Rows(result))
}

fn tile(node: &Node) -> Proven {
    let shape = node.input(0)?.rows()?;
    match node.integers(1)? {
        Some([1, repeats @ ..]) if repeats.len() == shape.len() => {
            let longer = |(&length, &times): (&Length, &i64)| length?.checked_mul(usize::try_from(times).ok()?);
            Ok(Value::Rows(shape.iter().zip(repeats).map(longer).collect()))
        }
        _ => Err("it repeats the rows".to_owned()),
    }
}

fn transpose(node: &Node) -> Proven {
    let shape = node.input(0)?.rows()?;
    let order = match node.ints("perm") {
        Some(order) => order
            .iter()
            .map(|&given| axis(given, shape.len() + 1))
            .collect::<Result<Vec<_>, _>>()?,
        None => (0..=shape.len()).rev().collect(),
    };
    match order.split_first() {
        Some((0, rest)) if rest.len() == shape.len() => {
            let places = rest.iter().map(|&at| shape.get(at.wrapping_sub(1)).copied().flatten());
            Ok(Value::Rows(places.collect()))
        }
        _ => Err("it moves the batch axis".to_owned()),
    }
}
