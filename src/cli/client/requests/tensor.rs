//! Stacks inputs into the tensor of one request.

use crate::cli::client::input::ModelInput;
use crate::rpc::proto::Tensor;

/// Stacks inputs of one type and shape: N inputs of shape S become a tensor of shape [N, S].
pub(in crate::cli::client) fn stack_inputs(inputs: &[ModelInput]) -> Tensor {
    let first = inputs.first();
    let count = i64::try_from(inputs.len()).unwrap_or(i64::MAX);
    let input_shape = first.map(|input| input.shape.as_slice()).unwrap_or_default();
    Tensor {
        dtype: first.map(|input| input.dtype.into()).unwrap_or_default(),
        shape: [&[count], input_shape].concat(),
        data: inputs.iter().flat_map(|input| input.data.iter().copied()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::client::input::Conversions;
    use crate::rpc::proto::DataType;

    #[test]
    fn inputs_are_stacked() {
        let input = |data: &[u8]| ModelInput {
            name: "x".into(),
            dtype: DataType::Uint8,
            shape: vec![1, 2],
            data: data.to_vec(),
            conversions: Conversions::default(),
        };
        let stacked = stack_inputs(&[input(&[1, 2]), input(&[3, 4])]);
        assert_eq!(
            (stacked.shape, stacked.data.to_vec()),
            (vec![2, 1, 2], vec![1, 2, 3, 4])
        );
        assert_eq!(stacked.dtype, i32::from(DataType::Uint8));
    }
}
