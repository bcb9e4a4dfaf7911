//! Decodes the tensor of a `certimix.v1` request into validated inputs.

use super::proto::{DataType, Tensor};
use crate::domain::{Input, InputSpec, ValueEncoding, Violations};
use crate::rpc::common::tensor_validation::{ProtocolNames, TensorField, check_layout, split_inputs};

const NAMES: ProtocolNames<'static> = ProtocolNames {
    field: &field_name,
    float32: "FLOAT32",
    counts_bytes: true,
};

fn field_name(field: TensorField) -> String {
    let name = match field {
        TensorField::DataType => "inputs.dtype",
        TensorField::Shape => "inputs.shape",
        TensorField::Data => "inputs.data",
    };
    name.to_owned()
}

/// Decodes `tensor` into at most `max_inputs` inputs of the model.
///
/// # Errors
/// Each wrong field and what was expected.
pub(super) fn decode_inputs(
    tensor: Option<&Tensor>,
    spec: &InputSpec,
    max_inputs: usize,
) -> Result<Vec<Input>, Violations> {
    let Some(tensor) = tensor else {
        return Err(Violations::one("inputs", "is required"));
    };
    let data_type = match DataType::try_from(tensor.dtype) {
        Ok(DataType::Uint8) => Ok(ValueEncoding::UInt8),
        Ok(DataType::Float32) => Ok(ValueEncoding::Float32),
        Ok(DataType::Unspecified) | Err(_) => Err(tensor.dtype.to_string()),
    };
    let mut violations = Violations::default();
    match check_layout(data_type, &tensor.shape, (spec, max_inputs), &NAMES, &mut violations) {
        Some(layout) => split_inputs(layout, &tensor.data, spec, &NAMES),
        None => Err(violations),
    }
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

    fn violated_fields(tensor: &Tensor) -> Vec<String> {
        let violations = decode_inputs(Some(tensor), &spec(), 4).unwrap_err();
        violations.0.into_iter().map(|violation| violation.field).collect()
    }

    #[test]
    fn uint8_values_are_divided_by_255() {
        let found = decode_inputs(
            Some(&tensor(DataType::Uint8, &[2, 2, 3], (0..12).collect())),
            &spec(),
            4,
        )
        .unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[1].values()[5], 11.0 / 255.0);
    }

    #[test]
    fn every_violation_is_reported_at_once() {
        assert_eq!(
            violated_fields(&tensor(DataType::Unspecified, &[1, 3, 2], vec![])),
            ["inputs.dtype", "inputs.shape"]
        );
        assert_eq!(
            violated_fields(&tensor(DataType::Uint8, &[0, 2, 3], vec![])),
            ["inputs.shape"]
        );
        assert_eq!(
            violated_fields(&tensor(DataType::Uint8, &[5, 2, 3], vec![0; 30])),
            ["inputs.shape"]
        );
        assert_eq!(
            violated_fields(&tensor(DataType::Uint8, &[-1, 2, 3], vec![])),
            ["inputs.shape"]
        );
        assert_eq!(
            violated_fields(&tensor(DataType::Uint8, &[i64::MAX, 2, 3], vec![])),
            ["inputs.shape"]
        );
        assert_eq!(
            violated_fields(&tensor(DataType::Uint8, &[1, 2, 3], vec![0; 7])),
            ["inputs.data"]
        );
        assert_eq!(
            violated_fields(&tensor(DataType::Uint8, &[i64::MAX, i64::MAX, i64::MAX], vec![])),
            ["inputs.shape"]
        );
        for value in [f32::NAN, f32::INFINITY, -0.1, 1.1] {
            let data = [0.5, 0.5, value, 0.5, 0.5, 0.5]
                .iter()
                .flat_map(|v: &f32| v.to_le_bytes())
                .collect();
            assert_eq!(
                violated_fields(&tensor(DataType::Float32, &[1, 2, 3], data)),
                ["inputs.data"]
            );
        }
    }

    proptest! {
        #[test]
        fn no_request_causes_a_panic(dtype in any::<i32>(), shape in prop::collection::vec(any::<i64>(), 0..6), data in prop::collection::vec(any::<u8>(), 0..60)) {
            let tensor = Tensor { dtype, shape, data: data.into() };
            if let Ok(found) = decode_inputs(Some(&tensor), &spec(), 4) {
                prop_assert!(found.iter().all(|input| input.dimension() == 6));
            }
        }
    }
}
