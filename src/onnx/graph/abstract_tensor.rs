//! What is known of a tensor, and the rules of shapes that all operators share.

/// Length of an axis, if it is known. It never depends on the number of rows.
pub(super) type Length = Option<usize>;

/// What is known of a tensor.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// The same whatever the input is and however many rows it has.
    Constant(Constant),
    /// Axis 0 is the batch: slice i is a function of row i of the input alone, and has this shape.
    Rows(Vec<Length>),
    /// A vector of integers that was computed from shapes.
    Sizes(Vec<Size>),
    /// One such integer.
    Size(Size),
}

/// A tensor that does not depend on the input.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Constant {
    /// Its shape, if it is known.
    pub(super) shape: Option<Vec<usize>>,
    /// Its values, if they are few integers.
    pub(super) integers: Option<Vec<i64>>,
}

/// An integer that was computed from shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// The number of rows.
    Batch,
    /// This number.
    Known(i64),
    /// A number that does not depend on the input.
    Fixed,
}

/// What an operator makes of its inputs, or why nothing is proven about it.
pub(super) type Proven = Result<Value, String>;

impl Value {
    /// Weights of this shape, whose values nothing asks for.
    pub(super) fn weights(shape: Option<Vec<usize>>) -> Self {
        Self::Constant(Constant { shape, integers: None })
    }

    /// The shape of a row; the error says what it is instead.
    pub(super) fn rows(&self) -> Result<&[Length], String> {
        match self {
            Self::Rows(shape) => Ok(shape),
            Self::Constant(_) => Err("an input that must depend on the row is constant".to_owned()),
            Self::Sizes(_) | Self::Size(_) => Err("it computes with the number of rows".to_owned()),
        }
    }

    /// A constant; the error says what it is instead.
    pub(super) fn constant(&self) -> Result<&Constant, String> {
        match self {
            Self::Constant(constant) => Ok(constant),
            Self::Rows(_) => Err("an input that must be constant depends on the rows".to_owned()),
            Self::Sizes(_) | Self::Size(_) => Err("it computes with the number of rows".to_owned()),
        }
    }
}

/// An axis of a tensor with `rank` axes, counted from the front.
pub(super) fn axis(axis: i64, rank: usize) -> Result<usize, String> {
    let rank = i64::try_from(rank).map_err(|error| error.to_string())?;
    let counted = if axis < 0 { axis.checked_add(rank) } else { Some(axis) };
    counted
        .filter(|counted| (0..rank).contains(counted))
        .and_then(|counted| usize::try_from(counted).ok())
        .ok_or_else(|| format!("it has no axis {axis}"))
}

/// An axis that is not the batch axis, of rows of `shape`; counted within the row.
pub(super) fn axis_within_row(given: i64, shape: &[Length]) -> Result<usize, String> {
    match axis(given, shape.len() + 1)?.checked_sub(1) {
        Some(within) => Ok(within),
        None => Err("it works along the batch axis".to_owned()),
    }
}

/// The number of values of a shape, if every length is known.
pub(super) fn volume(shape: &[Length]) -> Length {
    shape
        .iter()
        .try_fold(1usize, |product, length| product.checked_mul((*length)?))
}

/// The shape of tensors that are broadcast to one another, where the first axis of those with rows must stay the first axis of
/// the result: otherwise a row would meet another row, or another part of a constant than the rows beside it.
pub(super) fn broadcast(values: &[&Value]) -> Proven {
    let mut rank = 0;
    for value in values {
        rank = rank.max(match value {
            Value::Rows(shape) => shape.len() + 1,
            _ => shape_of(value)?.len(),
        });
    }
    let mut result: Vec<Length> = vec![Some(1); rank];
    let mut rows = false;
    for value in values {
        let mut shape: Vec<Length>;
        if let Value::Rows(of_row) = value {
            rows = true;
            if of_row.len() + 1 != rank {
                return Err("the batch axis is paired with another axis".to_owned());
            }
            // The batch axis stands aside: only rows may be longer than 1 there.
            shape = vec![Some(1)];
            shape.extend(of_row);
        } else {
            shape = shape_of(value)?.iter().map(|&length| Some(length)).collect();
            if shape.len() == rank && shape.first().is_some_and(|&length| length != Some(1)) {
                return Err("a constant has an entry for each row".to_owned());
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
    if !rows || rank == 0 {
        return Err("no input depends on the rows".to_owned());
    }
    result.remove(0);
    Ok(Value::Rows(result))
}

/// The shape of a constant.
fn shape_of(value: &Value) -> Result<&[usize], String> {
    value
        .constant()?
        .shape
        .as_deref()
        .ok_or_else(|| "the shape of a constant is not known".to_owned())
}
