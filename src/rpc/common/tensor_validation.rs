//! Validates the tensor of a request against the model's input. Every protocol uses these checks.

use std::borrow::Cow;

use bytes::Bytes;

use crate::domain::{Input, InputSpec, ValueEncoding, Violations};

/// A field of a tensor. Each protocol has its own name for it.
#[derive(Debug, Clone, Copy)]
pub(in crate::rpc) enum TensorField {
    DataType,
    Shape,
    Data,
}

/// The names that a protocol's error messages use.
pub(in crate::rpc) struct ProtocolNames<'a> {
    /// The name of each field. Called for violations only.
    pub(in crate::rpc) field: &'a dyn Fn(TensorField) -> String,
    /// The protocol's name of the data type float32.
    pub(in crate::rpc) float32: &'static str,
    /// Whether messages count bytes; otherwise they count values.
    pub(in crate::rpc) counts_bytes: bool,
}

/// The checked data type and number of inputs of a tensor.
#[derive(Debug, Clone, Copy)]
pub(in crate::rpc) struct TensorLayout {
    data_type: ValueEncoding,
    inputs: usize,
}

/// Checks the data type and the shape of a tensor. Returns `None` if either is wrong.
///
/// `data_type` holds the caller's text if the protocol does not define that type.
pub(in crate::rpc) fn check_layout(
    data_type: Result<ValueEncoding, String>,
    shape: &[i64],
    (spec, max_inputs): (&InputSpec, usize),
    names: &ProtocolNames<'_>,
    violations: &mut Violations,
) -> Option<TensorLayout> {
    let data_type = check_data_type(data_type, spec, names, violations);
    let inputs = check_shape(shape, spec, max_inputs, names, violations);
    Some(TensorLayout {
        data_type: data_type?,
        inputs: inputs?,
    })
}

/// Splits `data` into the inputs of a tensor. There is no copy, unless a value has to be moved to the end
/// of the range.
///
/// # Errors
/// The number of values differs from the layout, or a value is outside the model's range.
pub(in crate::rpc) fn split_inputs(
    layout: TensorLayout,
    data: &Bytes,
    spec: &InputSpec,
    names: &ProtocolNames<'_>,
) -> Result<Vec<Input>, Violations> {
    let TensorLayout { data_type, inputs } = layout;
    let width = data_type.width();
    // At most 2^16 inputs of at most 2^24 values of at most 4 bytes: no overflow.
    let input_bytes = spec.dimension() * width;
    let expected = inputs * input_bytes;
    let found = data.len();
    if found != expected {
        let shape = input_shape(spec);
        let message = if names.counts_bytes {
            format!("expected {expected} bytes: {width} for each value of the shape [{inputs}, {shape}]; found {found}")
        } else {
            let (expected, found) = (expected / width, found / width);
            format!("expected {expected} values, for the shape [{inputs}, {shape}]; found {found}")
        };
        return Err(Violations::one((names.field)(TensorField::Data), message));
    }
    let data = match data_type {
        ValueEncoding::UInt8 => Cow::Borrowed(data),
        ValueEncoding::Float32 => check_floats(data, spec, names)?,
    };
    let input = |index: usize| {
        let bytes = data.slice(index * input_bytes..(index + 1) * input_bytes);
        Input::new(bytes, data_type)
    };
    Ok((0..inputs).map(input).collect())
}

/// Checks that the model accepts the data type.
fn check_data_type(
    found: Result<ValueEncoding, String>,
    spec: &InputSpec,
    names: &ProtocolNames<'_>,
    violations: &mut Violations,
) -> Option<ValueEncoding> {
    let float32 = names.float32;
    let message = match found {
        Ok(ValueEncoding::UInt8) if !spec.accepts_uint8() => format!(
            "expected {float32}: this model's values go from {} to {}, and UINT8 means 0 to 1 in steps of 1/255",
            spec.low, spec.high
        ),
        Ok(data_type) => return Some(data_type),
        Err(found) => format!("expected UINT8 or {float32}, found {found}"),
    };
    violations.add((names.field)(TensorField::DataType), message);
    None
}

/// Checks that the shape is `[N, …]` with the model's input shape, and returns N.
fn check_shape(
    shape: &[i64],
    spec: &InputSpec,
    max_inputs: usize,
    names: &ProtocolNames<'_>,
    violations: &mut Violations,
) -> Option<usize> {
    let is_equal = |(&found, &expected): (&i64, &usize)| usize::try_from(found) == Ok(expected);
    let matching = shape
        .split_first()
        .filter(|(_, rest)| rest.len() == spec.shape.len() && rest.iter().zip(&spec.shape).all(is_equal));
    let Some((&first, _)) = matching else {
        let message = format!("expected [N, {}], found {}", input_shape(spec), shape_excerpt(shape));
        violations.add((names.field)(TensorField::Shape), message);
        return None;
    };
    let inputs = usize::try_from(first).ok();
    let inputs = inputs.filter(|inputs| (1..=max_inputs).contains(inputs));
    if inputs.is_none() {
        let shape = input_shape(spec);
        let message = format!("expected [N, {shape}] with N from 1 to {max_inputs}, found N = {first}");
        violations.add((names.field)(TensorField::Shape), message);
    }
    inputs
}

/// The shape of one input, without brackets.
fn input_shape(spec: &InputSpec) -> String {
    let lengths: Vec<String> = spec.shape.iter().map(usize::to_string).collect();
    lengths.join(", ")
}

/// The first axes of a shape. A caller's shape may fill a whole message.
fn shape_excerpt(shape: &[i64]) -> String {
    match shape.get(..8) {
        Some(beginning) if shape.len() > 8 => format!("{beginning:?}… of {} axes", shape.len()),
        _ => format!("{shape:?}"),
    }
}

/// Checks that all values are finite and within the model's range, and returns the values that the
/// models read.
///
/// A smoothed model reads levels. It moves every value to the nearest level, and the snapping loss of its
/// certificate covers values beside the end of the range too. For every other model a value beside the
/// end is moved to the end ([`Float32Range`](crate::domain::Float32Range)).
fn check_floats<'a>(
    data: &'a Bytes,
    spec: &InputSpec,
    names: &ProtocolNames<'_>,
) -> Result<Cow<'a, Bytes>, Violations> {
    let values = || data.as_chunks::<4>().0.iter().map(|&word| f32::from_le_bytes(word));
    let range = spec.float32_range();
    // The common case is one pass without branches. Only other data costs further passes.
    if values().fold(true, |all, value| all & range.contains(value)) {
        return Ok(Cow::Borrowed(data));
    }
    if let Some((index, value)) = values().enumerate().find(|&(_, value)| !range.accepts(value)) {
        let invalid = values().filter(|&value| !range.accepts(value)).count();
        let (low, high) = (spec.low, spec.high);
        return Err(Violations::one(
            (names.field)(TensorField::Data),
            format!(
                "expected finite values from {low} to {high}; {invalid} are not, the first is {value} at index {index}"
            ),
        ));
    }
    if spec.levels.is_some() {
        return Ok(Cow::Borrowed(data));
    }
    let moved = values().flat_map(|value| range.nearest_inside(value).to_le_bytes());
    Ok(Cow::Owned(moved.collect()))
}
