//! Layers of networks: products with weights, convolutions, pools, normalisations, reductions.

use super::node::Node;
use super::value::{Length, Proven, Value, axis_within_row, broadcast};

/// What an operator of this kind makes of its inputs; none for an operator of another kind.
pub(super) fn apply(operator: &str, node: &Node) -> Option<Proven> {
    Some(match operator {
        "Gemm" => gemm(node),
        "MatMul" => node.input(0).and_then(|left| matmul(left, node.input(1)?)),
        "MatMulInteger" => integer_matmul(node),
        "QLinearMatMul" => quantised_matmul(node),
        "Conv" | "ConvTranspose" | "ConvInteger" | "QLinearConv" => convolution(operator, node),
        "AveragePool" | "LpPool" | "MaxPool" => pool(node),
        "GlobalAveragePool" | "GlobalLpPool" | "GlobalMaxPool" => images(node).map(|shape| {
            let ones = shape.iter().skip(1).map(|_| Some(1));
            Value::Rows(shape.first().copied().into_iter().chain(ones).collect())
        }),
        "BatchNormalization" | "GroupNormalization" | "InstanceNormalization" | "LRN" => node
            .constants_from(1)
            .and_then(|()| node.input(0)?.rows())
            .and_then(|shape| match shape {
                [] => Err("it normalises along the batch axis".to_owned()),
                shape => Ok(Value::Rows(shape.to_vec())),
            }),
        "LayerNormalization" | "RMSNormalization" | "LpNormalization" => {
            node.constants_from(1).and_then(|()| along_axis(node, -1))
        }
        // Before version 13 the axes from this one on are taken together, so that it must not be the batch axis either.
        "Softmax" | "LogSoftmax" | "Hardmax" => along_axis(node, if node.opset < 13 { 1 } else { -1 }),
        "CumSum" => cumulative_sum(node),
        "ReduceL1" | "ReduceL2" | "ReduceLogSum" | "ReduceLogSumExp" | "ReduceMax" | "ReduceMean" | "ReduceMin"
        | "ReduceProd" | "ReduceSum" | "ReduceSumSquare" => reduce(node),
        "ArgMax" | "ArgMin" => node.input(0).and_then(Value::rows).and_then(|shape| {
            let axis = axis_within_row(node.int("axis", 0), shape)?;
            Ok(reduced(shape, &[axis], node.int("keepdims", 1) != 0))
        }),
        _ => return None,
    })
}

/// Each row times the weights.
fn gemm(node: &Node) -> Proven {
    let [_] = node.input(0)?.rows()? else {
        return Err("its first input is no matrix with a row for each input".to_owned());
    };
    if node.int("transA", 0) != 0 {
        return Err("it transposes the rows".to_owned());
    }
    let weights = node.input(1)?.constant()?;
    let columns = match (weights.shape.as_deref(), node.int("transB", 0)) {
        (Some(&[_, columns]), 0) | (Some(&[columns, _]), _) => columns,
        _ => return Err("the shape of its weights is not known".to_owned()),
    };
    let product = Value::Rows(vec![Some(columns)]);
    match node.optional(2) {
        Some(addend) => broadcast(&[&product, addend]),
        None => Ok(product),
    }
}

/// A product over the last axis of the left and the last but one of the right: neither may be the batch axis.
fn matmul(left: &Value, right: &Value) -> Proven {
    let contracts_rows = || Err("it sums over the rows".to_owned());
    match (left, right) {
        (Value::Rows(rows), Value::Constant(weights)) => {
            let weights = weights
                .shape
                .as_deref()
                .ok_or("the shape of its weights is not known")?;
            let Some((_, outer)) = rows.split_last() else {
                return contracts_rows();
            };
            match weights {
                [] => Err("its weights are one number".to_owned()),
                [_] => Ok(Value::Rows(outer.to_vec())),
                [_, columns] => Ok(Value::Rows([outer, &[Some(*columns)]].concat())),
                [stack @ .., _, columns] => {
                    let Some((height, of_rows)) = outer.split_last() else {
                        return Err("a stack of weights takes the place of the rows".to_owned());
                    };
                    let stack = Value::weights(Some(stack.to_vec()));
                    stacked(&Value::Rows(of_rows.to_vec()), &stack, [*height, Some(*columns)])
                }
            }
        }
        (Value::Constant(weights), Value::Rows(rows)) => {
            let weights = weights
                .shape
                .as_deref()
                .ok_or("the shape of its weights is not known")?;
            let [of_rows @ .., _, columns] = rows.as_slice() else {
                return contracts_rows();
            };
            match weights {
                [] => Err("its weights are one number".to_owned()),
                [_] => Ok(Value::Rows([of_rows, &[*columns]].concat())),
                [stack @ .., height, _] => {
                    let stack = Value::weights(Some(stack.to_vec()));
                    stacked(&stack, &Value::Rows(of_rows.to_vec()), [Some(*height), *columns])
                }
            }
        }
        (Value::Rows(left), Value::Rows(right)) => {
            let ([of_left @ .., height, _], [of_right @ .., _, columns]) = (left.as_slice(), right.as_slice()) else {
                return contracts_rows();
            };
            let (of_left, of_right) = (Value::Rows(of_left.to_vec()), Value::Rows(of_right.to_vec()));
            stacked(&of_left, &of_right, [*height, *columns])
        }
        _ => Err("it computes with the number of rows".to_owned()),
    }
}

/// The stacks of two products, broadcast to one another, and the matrix behind them.
fn stacked(left: &Value, right: &Value, matrix: [Length; 2]) -> Proven {
    let Value::Rows(mut shape) = broadcast(&[left, right])? else {
        return Err("no input depends on the rows".to_owned());
    };
    shape.extend(matrix);
    Ok(Value::Rows(shape))
}

/// Rows and weights with their scales and zero points, which are constants.
fn quantised_matmul(node: &Node) -> Proven {
    node.constants_from(1)?;
    for index in [1, 2, 6, 7] {
        same_for_all_rows(node.input(index)?)?;
    }
    matmul(node.input(0)?, node.input(3)?)
}

/// Rows and weights with their zero points, which are constants.
fn integer_matmul(node: &Node) -> Proven {
    node.constants_from(1)?;
    node.optional(2).map_or(Ok(()), same_for_all_rows)?;
    matmul(node.input(0)?, node.input(1)?)
}

/// A scale for each row of the left matrix would be one for each input.
fn same_for_all_rows(value: &Value) -> Result<(), String> {
    match value.constant()?.shape.as_deref() {
        Some([] | [1]) => Ok(()),
        _ => Err("it has a scale for each row".to_owned()),
    }
}

fn images<'a>(node: &Node<'a>) -> Result<&'a [Length], String> {
    match node.input(0)?.rows()? {
        [] => Err("it has no channels".to_owned()),
        shape => Ok(shape),
    }
}

fn convolution(operator: &str, node: &Node) -> Proven {
    let shape = images(node)?;
    node.constants_from(1)?;
    let weights = node.input(if operator == "QLinearConv" { 3 } else { 1 })?;
    let weights = weights.constant()?.shape.as_deref();
    let Some([outputs, _, kernel @ ..]) = weights else {
        return Err("the shape of its weights is not known".to_owned());
    };
    if operator == "ConvTranspose" {
        // The number of channels depends on the groups; nothing that follows needs it.
        return Ok(Value::Rows(vec![None; shape.len()]));
    }
    let mut result = vec![Some(*outputs)];
    result.extend(windows(node, &shape[1..], kernel));
    Ok(Value::Rows(result))
}

fn pool(node: &Node) -> Proven {
    let shape = images(node)?;
    let kernel: Vec<usize> = node
        .ints("kernel_shape")
        .unwrap_or_default()
        .iter()
        .map(|&length| usize::try_from(length).unwrap_or(0))
        .collect();
    let mut result = vec![shape[0]];
    result.extend(windows(node, &shape[1..], &kernel));
    Ok(Value::Rows(result))
}

/// The lengths of what a window that moves over `lengths` gives; unknown where the padding is not written out.
fn windows(node: &Node, lengths: &[Length], kernel: &[usize]) -> Vec<Length> {
    let automatic = node.attribute("auto_pad").is_some_and(|pad| pad.text != b"NOTSET");
    let ceiling = node.int("ceil_mode", 0) != 0;
    let entry = |name, index: usize, default| {
        let given: Option<i64> = node.ints(name).and_then(|ints| ints.get(index).copied());
        usize::try_from(given.unwrap_or(default)).ok()
    };
    let one = |(index, &length): (usize, &Length)| {
        if automatic || ceiling {
            return None;
        }
        let (stride, dilation) = (entry("strides", index, 1)?, entry("dilations", index, 1)?);
        let (before, after) = (entry("pads", index, 0)?, entry("pads", index + lengths.len(), 0)?);
        let reach = kernel
            .get(index)?
            .checked_sub(1)?
            .checked_mul(dilation)?
            .checked_add(1)?;
        let padded = length?.checked_add(before)?.checked_add(after)?;
        padded.checked_sub(reach)?.checked_div(stride)?.checked_add(1)
    };
    lengths.iter().enumerate().map(one).collect()
}

/// Along one axis within the row, which keeps its shape.
fn along_axis(node: &Node, default: i64) -> Proven {
    let shape = node.input(0)?.rows()?;
    axis_within_row(node.int("axis", default), shape)?;
    Ok(Value::Rows(shape.to_vec()))
}

fn cumulative_sum(node: &Node) -> Proven {
    let shape = node.input(0)?.rows()?;
    let Some([axis]) = node.integers(1)? else {
        return Err("its axis is not known".to_owned());
    };
    axis_within_row(*axis, shape)?;
    Ok(Value::Rows(shape.to_vec()))
}

fn reduce(node: &Node) -> Proven {
    let shape = node.input(0)?.rows()?;
    let axes = node.ints_or_input("axes", 1)?.unwrap_or_default();
    if axes.is_empty() {
        return if node.int("noop_with_empty_axes", 0) != 0 {
            Ok(Value::Rows(shape.to_vec()))
        } else {
            Err("it reduces all axes".to_owned())
        };
    }
    let axes = axes
        .iter()
        .map(|&axis| axis_within_row(axis, shape))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(reduced(shape, &axes, node.int("keepdims", 1) != 0))
}

fn reduced(shape: &[Length], axes: &[usize], keep: bool) -> Value {
    let kept = shape.iter().enumerate().filter_map(|(index, &length)| {
        let reduced = axes.contains(&index);
        (!reduced || keep).then_some(if reduced { Some(1) } else { length })
    });
    Value::Rows(kept.collect())
}
