//! Matrix products of rows with weights, and of rows with each other.

use super::super::abstract_tensor::{AbstractTensor, AxisLength, OperatorResult};
use super::super::resolved_node::ResolvedNode;
use super::super::shape_rules::broadcast;

/// Returns the output of the node, or `None` if the operator is of another kind.
pub(in crate::onnx::graph) fn apply(operator: &str, node: &ResolvedNode) -> Option<OperatorResult> {
    Some(match operator {
        "Gemm" => gemm(node),
        "MatMul" => node
            .required_input(0)
            .and_then(|left| matmul(left, node.required_input(1)?)),
        "MatMulInteger" => integer_matmul(node),
        "QLinearMatMul" => quantized_matmul(node),
        _ => return None,
    })
}

/// Multiplies each row by the weights.
fn gemm(node: &ResolvedNode) -> OperatorResult {
    let [_] = node.required_input(0)?.row_shape()? else {
        return Err("its first input is not a matrix with one row per input".to_owned());
    };
    if node.int_attribute("transA", 0) != 0 {
        return Err("it transposes the rows".to_owned());
    }
    let weights = node.required_input(1)?.constant()?;
    let columns = match (weights.shape.as_deref(), node.int_attribute("transB", 0)) {
        (Some(&[_, columns]), 0) | (Some(&[columns, _]), _) => columns,
        _ => return Err("the shape of its weights is unknown".to_owned()),
    };
    let product = AbstractTensor::PerRow(vec![Some(columns)]);
    match node.optional_input(2) {
        Some(addend) => broadcast(&[&product, addend]),
        None => Ok(product),
    }
}

/// Sums over the last axis of the left operand and the last but one axis of the right operand.
/// Neither may be the batch axis.
fn matmul(left: &AbstractTensor, right: &AbstractTensor) -> OperatorResult {
    let contracts_batch = || Err("it sums over the rows".to_owned());
    match (left, right) {
        (AbstractTensor::PerRow(rows), AbstractTensor::Constant(weights)) => {
            let weights = weights.shape.as_deref().ok_or("the shape of its weights is unknown")?;
            let Some((_, outer)) = rows.split_last() else {
                return contracts_batch();
            };
            match weights {
                [] => Err("its weights are a scalar".to_owned()),
                [_] => Ok(AbstractTensor::PerRow(outer.to_vec())),
                [_, columns] => Ok(AbstractTensor::PerRow([outer, &[Some(*columns)]].concat())),
                [stack @ .., _, columns] => {
                    let Some((height, row_stack)) = outer.split_last() else {
                        return Err("a stack of weights is broadcast against the batch axis".to_owned());
                    };
                    let stack = AbstractTensor::weights(Some(stack.to_vec()));
                    stacked_matrices(
                        &AbstractTensor::PerRow(row_stack.to_vec()),
                        &stack,
                        [*height, Some(*columns)],
                    )
                }
            }
        }
        (AbstractTensor::Constant(weights), AbstractTensor::PerRow(rows)) => {
            let weights = weights.shape.as_deref().ok_or("the shape of its weights is unknown")?;
            let [row_stack @ .., _, columns] = rows.as_slice() else {
                return contracts_batch();
            };
            match weights {
                [] => Err("its weights are a scalar".to_owned()),
                [_] => Ok(AbstractTensor::PerRow([row_stack, &[*columns]].concat())),
                [stack @ .., height, _] => {
                    let stack = AbstractTensor::weights(Some(stack.to_vec()));
                    stacked_matrices(
                        &stack,
                        &AbstractTensor::PerRow(row_stack.to_vec()),
                        [Some(*height), *columns],
                    )
                }
            }
        }
        (AbstractTensor::PerRow(left), AbstractTensor::PerRow(right)) => {
            let ([left_stack @ .., height, _], [right_stack @ .., _, columns]) = (left.as_slice(), right.as_slice())
            else {
                return contracts_batch();
            };
            let (left_stack, right_stack) = (
                AbstractTensor::PerRow(left_stack.to_vec()),
                AbstractTensor::PerRow(right_stack.to_vec()),
            );
            stacked_matrices(&left_stack, &right_stack, [*height, *columns])
        }
        _ => Err("it computes with the number of rows".to_owned()),
    }
}

/// Broadcasts the stack axes of two operands and appends the axes of the matrix product.
fn stacked_matrices(left: &AbstractTensor, right: &AbstractTensor, matrix: [AxisLength; 2]) -> OperatorResult {
    let AbstractTensor::PerRow(mut shape) = broadcast(&[left, right])? else {
        return Err("no input depends on the rows".to_owned());
    };
    shape.extend(matrix);
    Ok(AbstractTensor::PerRow(shape))
}

/// Multiplies rows by weights. All scales and zero points are constants.
fn quantized_matmul(node: &ResolvedNode) -> OperatorResult {
    node.require_constant_inputs(1)?;
    for index in [1, 2, 6, 7] {
        require_scalar(node.required_input(index)?)?;
    }
    matmul(node.required_input(0)?, node.required_input(3)?)
}

/// Multiplies rows by weights. The zero points are constants.
fn integer_matmul(node: &ResolvedNode) -> OperatorResult {
    node.require_constant_inputs(1)?;
    node.optional_input(2).map_or(Ok(()), require_scalar)?;
    matmul(node.required_input(0)?, node.required_input(1)?)
}

/// Requires one number. A scale for each row of the left matrix would be one for each input.
fn require_scalar(value: &AbstractTensor) -> Result<(), String> {
    match value.constant()?.shape.as_deref() {
        Some([] | [1]) => Ok(()),
        _ => Err("it has a scale for each row".to_owned()),
    }
}
