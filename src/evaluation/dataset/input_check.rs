//! Checks values against the input of the model.

use crate::domain::{Input, InputSpec, ValueEncoding};

/// Returns the input of these bytes.
///
/// # Errors
/// A message if the model does not accept bytes, or another number of them.
pub(super) fn input_of_bytes(spec: &InputSpec, bytes: Vec<u8>) -> Result<Input, String> {
    check_count(spec, bytes.len())?;
    check_accepts_uint8(spec)?;
    Ok(Input::new(bytes.into(), ValueEncoding::UInt8))
}

/// A message if the model does not accept bytes.
pub(super) fn check_accepts_uint8(spec: &InputSpec) -> Result<(), String> {
    if spec.accepts_uint8() {
        return Ok(());
    }
    Err(format!(
        "holds bytes, but the model accepts only float32 from {} to {}",
        spec.low, spec.high
    ))
}

/// Returns the input of these floats. As in a request, a value beside the end of the range, by the
/// rounding of float32, is moved to the end, unless the model has a grid.
///
/// # Errors
/// A message with the first value that the model does not accept.
pub(super) fn input_of_floats(spec: &InputSpec, mut values: Vec<f32>) -> Result<Input, String> {
    check_count(spec, values.len())?;
    let range = spec.float32_range();
    if let Some((position, value)) = values.iter().enumerate().find(|(_, value)| !range.accepts(**value)) {
        return Err(format!(
            "value {position} is {value}, expected finite values from {} to {}",
            spec.low, spec.high
        ));
    }
    if spec.levels.is_none() {
        for value in &mut values {
            *value = range.nearest_inside(*value);
        }
    }
    Ok(Input::from_floats(&values))
}

fn check_count(spec: &InputSpec, found: usize) -> Result<(), String> {
    let expected = spec.dimension();
    if found == expected {
        return Ok(());
    }
    Err(format!(
        "has {found} values, expected {expected} for the shape {:?}",
        spec.shape
    ))
}
