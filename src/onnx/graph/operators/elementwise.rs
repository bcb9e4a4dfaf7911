//! Operators that compute each element separately.

use super::super::abstract_tensor::{AbstractTensor, OperatorResult};
use super::super::resolved_node::ResolvedNode;
use super::super::shape_rules::{broadcast, row_axis};

/// Returns the output of the node, or `None` if the operator is of another kind.
pub(in crate::onnx::graph) fn apply(operator: &str, node: &ResolvedNode) -> Option<OperatorResult> {
    Some(match operator {
        "Abs" | "Acos" | "Acosh" | "Asin" | "Asinh" | "Atan" | "Atanh" | "BitwiseNot" | "Cast" | "Ceil" | "Celu"
        | "Clip" | "Cos" | "Cosh" | "Dropout" | "Elu" | "Erf" | "Exp" | "Floor" | "Gelu" | "HardSigmoid"
        | "HardSwish" | "Identity" | "IsInf" | "IsNaN" | "LeakyRelu" | "Log" | "Mish" | "Neg" | "Not"
        | "Reciprocal" | "Relu" | "Round" | "Selu" | "Shrink" | "Sigmoid" | "Sign" | "Sin" | "Sinh" | "Softplus"
        | "Softsign" | "Sqrt" | "Swish" | "Tan" | "Tanh" | "ThresholdedRelu" => unary(node),
        "Add" | "And" | "BitShift" | "BitwiseAnd" | "BitwiseOr" | "BitwiseXor" | "Div" | "Equal" | "Greater"
        | "GreaterOrEqual" | "Less" | "LessOrEqual" | "Max" | "Mean" | "Min" | "Mod" | "Mul" | "Or" | "Pow"
        | "PRelu" | "Sub" | "Sum" | "Where" | "Xor" => {
            let inputs: Vec<&AbstractTensor> = node.inputs.iter().flatten().copied().collect();
            // Before version 7 an attribute aligns a constant.
            if node.attribute("axis").is_some() || node.attribute("broadcast").is_some() {
                Err("it aligns its inputs by an attribute of an old version".to_owned())
            } else {
                broadcast(&inputs)
            }
        }
        "QuantizeLinear" | "DequantizeLinear" => linear_quantization(node),
        _ => return None,
    })
}

/// Computes each value of the first input. Bounds and ratios are constants.
fn unary(node: &ResolvedNode) -> OperatorResult {
    let shape = node.required_input(0)?.row_shape()?;
    node.require_constant_inputs(1)?;
    Ok(AbstractTensor::PerRow(shape.to_vec()))
}

/// Checks that the scale is a scalar, or one value for each index of an axis within the row.
fn linear_quantization(node: &ResolvedNode) -> OperatorResult {
    let shape = node.required_input(0)?.row_shape()?;
    node.require_constant_inputs(1)?;
    let scale = node.required_input(1)?.constant()?.shape.as_deref();
    match scale {
        Some([]) => {}
        Some([_]) => {
            row_axis(node.int_attribute("axis", 1), shape)?;
        }
        _ => return Err("its scale is neither a scalar nor one value per channel".to_owned()),
    }
    Ok(AbstractTensor::PerRow(shape.to_vec()))
}
