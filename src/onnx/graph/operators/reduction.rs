//! Normalisations, softmax, cumulative sums and reductions. None may work along the batch axis.

use super::super::abstract_tensor::{AbstractTensor, AxisLength, OperatorResult};
use super::super::resolved_node::ResolvedNode;
use super::super::shape_rules::row_axis;

/// Returns the output of the node, or `None` if the operator is of another kind.
pub(in crate::onnx::graph) fn apply(operator: &str, node: &ResolvedNode) -> Option<OperatorResult> {
    Some(match operator {
        "BatchNormalization" | "GroupNormalization" | "InstanceNormalization" | "LRN" => node
            .require_constant_inputs(1)
            .and_then(|()| node.required_input(0)?.row_shape())
            .and_then(|shape| match shape {
                [] => Err("it normalises along the batch axis".to_owned()),
                shape => Ok(AbstractTensor::PerRow(shape.to_vec())),
            }),
        "LayerNormalization" | "RMSNormalization" | "LpNormalization" => {
            node.require_constant_inputs(1).and_then(|()| along_axis(node, -1))
        }
        // Before version 13 the operator flattens all axes from this one on, so the batch axis is
        // refused there too.
        "Softmax" | "LogSoftmax" | "Hardmax" => along_axis(node, if node.opset_version < 13 { 1 } else { -1 }),
        "CumSum" => cumulative_sum(node),
        "ReduceL1" | "ReduceL2" | "ReduceLogSum" | "ReduceLogSumExp" | "ReduceMax" | "ReduceMean" | "ReduceMin"
        | "ReduceProd" | "ReduceSum" | "ReduceSumSquare" => reduce(node),
        "ArgMax" | "ArgMin" => node
            .required_input(0)
            .and_then(AbstractTensor::row_shape)
            .and_then(|shape| {
                let axis = row_axis(node.int_attribute("axis", 0), shape)?;
                Ok(reduced_shape(shape, &[axis], node.int_attribute("keepdims", 1) != 0))
            }),
        _ => return None,
    })
}

/// Applies an operator along one axis within the row, which keeps its shape.
fn along_axis(node: &ResolvedNode, default: i64) -> OperatorResult {
    let shape = node.required_input(0)?.row_shape()?;
    row_axis(node.int_attribute("axis", default), shape)?;
    Ok(AbstractTensor::PerRow(shape.to_vec()))
}

/// Sums along one axis within the row, which keeps its shape.
fn cumulative_sum(node: &ResolvedNode) -> OperatorResult {
    let shape = node.required_input(0)?.row_shape()?;
    let Some([axis]) = node.integer_input(1)? else {
        return Err("its axis is unknown".to_owned());
    };
    row_axis(*axis, shape)?;
    Ok(AbstractTensor::PerRow(shape.to_vec()))
}

/// Reduces axes within the row.
fn reduce(node: &ResolvedNode) -> OperatorResult {
    let shape = node.required_input(0)?.row_shape()?;
    let axes = node.ints_attribute_or_input("axes", 1)?.unwrap_or_default();
    if axes.is_empty() {
        return if node.int_attribute("noop_with_empty_axes", 0) != 0 {
            Ok(AbstractTensor::PerRow(shape.to_vec()))
        } else {
            Err("it reduces all axes".to_owned())
        };
    }
    let axes = axes
        .iter()
        .map(|&axis| row_axis(axis, shape))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(reduced_shape(shape, &axes, node.int_attribute("keepdims", 1) != 0))
}

/// Returns the row shape after `axes` are reduced. `keep` leaves them with the length 1.
fn reduced_shape(shape: &[AxisLength], axes: &[usize], keep: bool) -> AbstractTensor {
    let kept = shape.iter().enumerate().filter_map(|(index, &length)| {
        let is_reduced = axes.contains(&index);
        (!is_reduced || keep).then_some(if is_reduced { Some(1) } else { length })
    });
    AbstractTensor::PerRow(kept.collect())
}
