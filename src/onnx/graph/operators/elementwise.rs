//! Operators that work on each element by itself.

use super::node::Node;
use super::value::{Proven, Value, axis_within_row, broadcast};

/// What an operator of this kind makes of its inputs; none for an operator of another kind.
pub(super) fn apply(operator: &str, node: &Node) -> Option<Proven> {
    Some(match operator {
        "Abs" | "Acos" | "Acosh" | "Asin" | "Asinh" | "Atan" | "Atanh" | "BitwiseNot" | "Cast" | "Ceil" | "Celu"
        | "Clip" | "Cos" | "Cosh" | "Dropout" | "Elu" | "Erf" | "Exp" | "Floor" | "Gelu" | "HardSigmoid"
        | "HardSwish" | "Identity" | "IsInf" | "IsNaN" | "LeakyRelu" | "Log" | "Mish" | "Neg" | "Not"
        | "Reciprocal" | "Relu" | "Round" | "Selu" | "Shrink" | "Sigmoid" | "Sign" | "Sin" | "Sinh" | "Softplus"
        | "Softsign" | "Sqrt" | "Swish" | "Tan" | "Tanh" | "ThresholdedRelu" => each_alone(node),
        "Add" | "And" | "BitShift" | "BitwiseAnd" | "BitwiseOr" | "BitwiseXor" | "Div" | "Equal" | "Greater"
        | "GreaterOrEqual" | "Less" | "LessOrEqual" | "Max" | "Mean" | "Min" | "Mod" | "Mul" | "Or" | "Pow"
        | "PRelu" | "Sub" | "Sum" | "Where" | "Xor" => {
            let given: Vec<&Value> = node.inputs.iter().flatten().copied().collect();
            // Before version 7 a constant is aligned by an attribute.
            if node.attribute("axis").is_some() || node.attribute("broadcast").is_some() {
                Err("it aligns its inputs by an attribute of old versions".to_owned())
            } else {
                broadcast(&given)
            }
        }
        "QuantizeLinear" | "DequantizeLinear" => linear_quantisation(node),
        _ => return None,
    })
}

/// Each value of the first input by itself; bounds and ratios are constants.
fn each_alone(node: &Node) -> Proven {
    let shape = node.input(0)?.rows()?;
    node.constants_from(1)?;
    Ok(Value::Rows(shape.to_vec()))
}

/// The scale is one number, or one for each index of an axis within the row.
fn linear_quantisation(node: &Node) -> Proven {
    let shape = node.input(0)?.rows()?;
    node.constants_from(1)?;
    let scale = node.input(1)?.constant()?.shape.as_deref();
    match scale {
        Some([]) => {}
        Some([_]) => {
            axis_within_row(node.int("axis", 1), shape)?;
        }
        _ => return Err("its scale is neither one number nor one for each channel".to_owned()),
    }
    Ok(Value::Rows(shape.to_vec()))
}
