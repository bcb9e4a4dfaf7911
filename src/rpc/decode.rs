//! From a tensor on the wire to validated inputs.

use super::proto::{DataType, Tensor};
use crate::domain::{Input, InputSpec, Violations};

/// Takes the inputs out of `tensor`, or tells everything that is wrong with it.
///
/// # Errors
/// With the field of each violation, and what was expected.
pub(super) fn inputs(tensor: Option<&Tensor>, spec: &InputSpec, max_inputs: usize) -> Result<Vec<Input>, Violations> {
    let mut wrong = Violations::default();
    let Some(tensor) = tensor else {
        wrong.add("inputs", "is required");
        return Err(wrong);
    };
    let dtype = dtype(tensor, spec, &mut wrong);
    let count = count(&tensor.shape, spec, max_inputs, &mut wrong);
    let (Some(dtype), Some(count)) = (dtype, count) else {
        return Err(wrong);
    };
    // At most 2^16 inputs of at most 2^24 values of at most 4 bytes: no overflow.
    let width = if dtype == DataType::Uint8 { 1 } else { 4 };
    let expected = count * spec.dimension() * width;
    wrong.check(tensor.data.len() == expected, "inputs.data", || {
        let shape = &tensor.shape;
        format!(
            "expected {expected} bytes: {width} for each value of the shape {shape:?}; found {}",
            tensor.data.len()
        )
    });
    wrong.into_result()?;
    let each = spec.dimension() * width;
    if dtype == DataType::Uint8 {
        return Ok(tensor.data.chunks_exact(each).map(Input::from_uint8).collect());
    }
    let values = floats(&tensor.data, spec)?;
    Ok(values
        .chunks_exact(spec.dimension())
        .map(|input| Input::from_float32(input.to_vec()))
        .collect())
}

fn dtype(tensor: &Tensor, spec: &InputSpec, wrong: &mut Violations) -> Option<DataType> {
    match DataType::try_from(tensor.dtype) {
        Ok(DataType::Uint8) if !spec.accepts_uint8() => {
            wrong.add(
                "inputs.dtype",
                format!(
                    "expected FLOAT32: this model's values go from {} to {}, and UINT8 means 0 to 1 in steps of 1/255",
                    spec.low, spec.high
                ),
            );
            None
        }
        Ok(dtype @ (DataType::Uint8 | DataType::Float32)) => Some(dtype),
        Ok(DataType::Unspecified) | Err(_) => {
            wrong.add(
                "inputs.dtype",
                format!("expected UINT8 or FLOAT32, found {}", tensor.dtype),
            );
            None
        }
    }
}

/// N, if the shape is `[N, …]` as the model takes it.
fn count(shape: &[i64], spec: &InputSpec, max_inputs: usize, wrong: &mut Violations) -> Option<usize> {
    let wanted: Vec<i64> = spec
        .shape
        .iter()
        .map(|&length| i64::try_from(length).unwrap_or(i64::MAX))
        .collect();
    let shown = wanted.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    let Some((&first, rest)) = shape.split_first().filter(|(_, rest)| *rest == wanted) else {
        wrong.add("inputs.shape", format!("expected [N, {shown}], found {}", short(shape)));
        return None;
    };
    debug_assert_eq!(rest.len(), wanted.len());
    match usize::try_from(first)
        .ok()
        .filter(|count| (1..=max_inputs).contains(count))
    {
        Some(count) => Some(count),
        None => {
            wrong.add(
                "inputs.shape",
                format!("expected [N, {shown}] with N from 1 to {max_inputs}, found N = {first}"),
            );
            None
        }
    }
}

/// A shape may be as long as a message: only its beginning is worth showing.
fn short(shape: &[i64]) -> String {
    match shape.get(..8) {
        Some(beginning) if shape.len() > 8 => format!("{beginning:?}… of {} axes", shape.len()),
        _ => format!("{shape:?}"),
    }
}

fn floats(data: &[u8], spec: &InputSpec) -> Result<Vec<f32>, Violations> {
    let (words, _) = data.as_chunks::<4>();
    let values: Vec<f32> = words.iter().map(|&word| f32::from_le_bytes(word)).collect();
    let fits = |value: f32| value.is_finite() && (spec.low..=spec.high).contains(&f64::from(value));
    let misfits = values.iter().filter(|&&value| !fits(value)).count();
    let mut wrong = Violations::default();
    if let Some((index, value)) = values.iter().enumerate().find(|&(_, &value)| !fits(value)) {
        let (low, high) = (spec.low, spec.high);
        wrong.add(
            "inputs.data",
            format!(
                "expected finite values from {low} to {high}; {misfits} are not, the first is {value} at index {index}"
            ),
        );
    }
    wrong.into_result().map(|()| values)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spec() -> InputSpec {
        InputSpec {
            name: "input".to_owned(),
            shape: vec![2, 3],
            low: 0.0,
            high: 1.0,
            levels: None,
        }
    }

    fn tensor(dtype: DataType, shape: &[i64], data: Vec<u8>) -> Tensor {
        Tensor {
            dtype: dtype.into(),
            shape: shape.to_vec(),
            data: data.into(),
        }
    }

    fn fields(tensor: &Tensor) -> Vec<String> {
        let violations = inputs(Some(tensor), &spec(), 4).unwrap_err();
        violations.0.into_iter().map(|violation| violation.field).collect()
    }

    #[test]
    fn bytes_become_255ths() {
        let found = inputs(
            Some(&tensor(DataType::Uint8, &[2, 2, 3], (0..12).collect())),
            &spec(),
            4,
        )
        .unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[1].values[5], 11.0 / 255.0);
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        assert_eq!(
            fields(&tensor(DataType::Unspecified, &[1, 3, 2], vec![])),
            ["inputs.dtype", "inputs.shape"]
        );
        assert_eq!(fields(&tensor(DataType::Uint8, &[0, 2, 3], vec![])), ["inputs.shape"]);
        assert_eq!(
            fields(&tensor(DataType::Uint8, &[5, 2, 3], vec![0; 30])),
            ["inputs.shape"]
        );
        assert_eq!(fields(&tensor(DataType::Uint8, &[-1, 2, 3], vec![])), ["inputs.shape"]);
        assert_eq!(
            fields(&tensor(DataType::Uint8, &[i64::MAX, 2, 3], vec![])),
            ["inputs.shape"]
        );
        assert_eq!(
            fields(&tensor(DataType::Uint8, &[1, 2, 3], vec![0; 7])),
            ["inputs.data"]
        );
        assert_eq!(
            fields(&tensor(DataType::Uint8, &[i64::MAX, i64::MAX, i64::MAX], vec![])),
            ["inputs.shape"]
        );
        for value in [f32::NAN, f32::INFINITY, -0.1, 1.1] {
            let data = [0.5, 0.5, value, 0.5, 0.5, 0.5]
                .iter()
                .flat_map(|v: &f32| v.to_le_bytes())
                .collect();
            assert_eq!(fields(&tensor(DataType::Float32, &[1, 2, 3], data)), ["inputs.data"]);
        }
    }

    proptest! {
        #[test]
        fn nothing_from_outside_panics(dtype in any::<i32>(), shape in prop::collection::vec(any::<i64>(), 0..6), data in prop::collection::vec(any::<u8>(), 0..60)) {
            let tensor = Tensor { dtype, shape, data: data.into() };
            if let Ok(found) = inputs(Some(&tensor), &spec(), 4) {
                prop_assert!(found.iter().all(|input| input.values.len() == 6));
            }
        }
    }
}
