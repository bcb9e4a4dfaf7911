//! Convolutions and pools.

use super::super::abstract_tensor::{AbstractTensor, AxisLength, OperatorResult};
use super::super::resolved_node::ResolvedNode;

/// Returns the output of the node, or `None` if the operator is of another kind.
pub(in crate::onnx::graph) fn apply(operator: &str, node: &ResolvedNode) -> Option<OperatorResult> {
    Some(match operator {
        "Conv" | "ConvTranspose" | "ConvInteger" | "QLinearConv" => convolution(operator, node),
        "AveragePool" | "LpPool" | "MaxPool" => pool(node),
        "GlobalAveragePool" | "GlobalLpPool" | "GlobalMaxPool" => image_shape(node).map(|shape| {
            let ones = shape.iter().skip(1).map(|_| Some(1));
            AbstractTensor::PerRow(shape.first().copied().into_iter().chain(ones).collect())
        }),
        _ => return None,
    })
}

/// Returns the row shape of the first input: the channels, then the spatial axes.
fn image_shape<'a>(node: &ResolvedNode<'a>) -> Result<&'a [AxisLength], String> {
    match node.required_input(0)?.row_shape()? {
        [] => Err("it has no channels".to_owned()),
        shape => Ok(shape),
    }
}

/// Checks that the kernel is constant, and returns the shape after the convolution.
fn convolution(operator: &str, node: &ResolvedNode) -> OperatorResult {
    let shape = image_shape(node)?;
    node.require_constant_inputs(1)?;
    let weights = node.required_input(if operator == "QLinearConv" { 3 } else { 1 })?;
    let weights = weights.constant()?.shape.as_deref();
    let Some([outputs, _, kernel @ ..]) = weights else {
        return Err("the shape of its weights is unknown".to_owned());
    };
    if operator == "ConvTranspose" {
        // The number of channels depends on the groups. No later rule needs it.
        return Ok(AbstractTensor::PerRow(vec![None; shape.len()]));
    }
    let mut result = vec![Some(*outputs)];
    result.extend(window_counts(node, &shape[1..], kernel));
    Ok(AbstractTensor::PerRow(result))
}

/// Returns the shape after a pool over windows of an image.
fn pool(node: &ResolvedNode) -> OperatorResult {
    let shape = image_shape(node)?;
    let kernel: Vec<usize> = node
        .ints_attribute("kernel_shape")
        .unwrap_or_default()
        .iter()
        .map(|&length| usize::try_from(length).unwrap_or(0))
        .collect();
    let mut result = vec![shape[0]];
    result.extend(window_counts(node, &shape[1..], &kernel));
    Ok(AbstractTensor::PerRow(result))
}

/// Returns how many positions a sliding window has along each axis. The count is unknown if the
/// padding is automatic or `ceil_mode` is set.
fn window_counts(node: &ResolvedNode, lengths: &[AxisLength], kernel: &[usize]) -> Vec<AxisLength> {
    let automatic = node.attribute("auto_pad").is_some_and(|pad| pad.text != b"NOTSET");
    let ceiling = node.int_attribute("ceil_mode", 0) != 0;
    let attribute_entry = |name, index: usize, default| {
        let value: Option<i64> = node.ints_attribute(name).and_then(|ints| ints.get(index).copied());
        usize::try_from(value.unwrap_or(default)).ok()
    };
    let window_count = |(index, &length): (usize, &AxisLength)| {
        if automatic || ceiling {
            return None;
        }
        let (stride, dilation) = (
            attribute_entry("strides", index, 1)?,
            attribute_entry("dilations", index, 1)?,
        );
        let (before, after) = (
            attribute_entry("pads", index, 0)?,
            attribute_entry("pads", index + lengths.len(), 0)?,
        );
        let kernel_extent = kernel
            .get(index)?
            .checked_sub(1)?
            .checked_mul(dilation)?
            .checked_add(1)?;
        let padded = length?.checked_add(before)?.checked_add(after)?;
        padded.checked_sub(kernel_extent)?.checked_div(stride)?.checked_add(1)
    };
    lengths.iter().enumerate().map(window_count).collect()
}
