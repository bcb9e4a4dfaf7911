//! Follows the batch axis through a graph.
//!
//! Each tensor that the output depends on is a constant, or its slice i along axis 0 is a function
//! of row i of the input. The function is the same for every i and for every number of rows. Each
//! operator preserves this property, or the proof fails. By induction over the nodes, the output
//! has the property too.
//!
//! The proof ignores rounding. A runtime may still round differently in batches of different sizes;
//! the self-test detects that.

use std::collections::{HashMap, HashSet};

use super::abstract_tensor::{AbstractTensor, AxisLength, OperatorResult};
use super::determinism::{describe_node, is_onnx_domain, onnx_opset_version};
use super::operators::{convolution, elementwise, indexing, matrix_product, reduction, reshape, shape_arithmetic};
use super::protobuf::{self, ModelProto};
use super::resolved_node::ResolvedNode;

/// Proves that row i of `output` is a function of row i of `input` alone, for all other rows and
/// every number of rows. `row_shape` is the shape of one input row.
///
/// # Errors
/// Returns the first node at which the proof fails, and the reason. The graph may still compute
/// each row by itself.
pub(in crate::onnx) fn prove_row_independence(
    model: &ModelProto,
    input: &str,
    row_shape: &[usize],
    output: &str,
) -> Result<(), String> {
    let graph = model.graph.as_ref().ok_or("it has no graph")?;
    if model.functions.iter().any(|function| is_onnx_domain(&function.domain)) {
        return Err("it redefines a standard ONNX operator".to_owned());
    }
    let mut known: HashMap<&[u8], AbstractTensor> = HashMap::new();
    let mut add = |name, value| match known.insert(name, value) {
        None => Ok(()),
        Some(_) => Err(format!("the tensor \"{}\" occurs twice", String::from_utf8_lossy(name))),
    };
    let shape: Vec<AxisLength> = row_shape.iter().map(|&length| Some(length)).collect();
    add(input.as_bytes(), AbstractTensor::PerRow(shape))?;
    for tensor in &graph.initializers {
        add(
            &tensor.name,
            AbstractTensor::Constant(shape_arithmetic::constant(tensor)),
        )?;
    }
    for sparse in &graph.sparse_initializers {
        if let Some(values) = &sparse.values {
            let shape = sparse.dims.iter().map(|&length| usize::try_from(length).ok()).collect();
            add(&values.name, AbstractTensor::weights(shape))?;
        }
    }
    let needed = needed_nodes(graph, output);
    for (node, _) in graph.nodes.iter().zip(&needed).filter(|(_, needed)| **needed) {
        let value = infer_output(node, &known, onnx_opset_version(model))
            .map_err(|why| format!("{}: {why}", describe_node(node)))?;
        let results = if has_equal_outputs(&node.operator) {
            &node.outputs[..]
        } else {
            node.outputs.get(..1).unwrap_or_default()
        };
        for name in results.iter().filter(|name| !name.is_empty()) {
            if known.insert(name, value.clone()).is_some() {
                return Err(format!("{}: its output occurs twice", describe_node(node)));
            }
        }
    }
    match known.get(output.as_bytes()) {
        // Each run checks the length of the axes.
        Some(AbstractTensor::PerRow(shape)) if !shape.is_empty() => Ok(()),
        Some(AbstractTensor::PerRow(_)) => Err(format!("the output \"{output}\" has one value per input")),
        Some(_) => Err(format!("the output \"{output}\" does not depend on the input")),
        None => Err(format!("the output \"{output}\" is unknown")),
    }
}

/// Returns for each node whether `output` depends on it.
fn needed_nodes(graph: &protobuf::GraphProto, output: &str) -> Vec<bool> {
    let mut names: HashSet<&[u8]> = HashSet::from([output.as_bytes()]);
    let mut needed: Vec<bool> = (graph.nodes.iter().rev())
        .map(|node| {
            let needed = node.outputs.iter().any(|name| names.contains(name.as_slice()));
            if needed {
                names.extend(node.inputs.iter().map(Vec::as_slice));
            }
            needed
        })
        .collect();
    needed.reverse();
    needed
}

/// Returns whether all outputs of an operator have the same properties. For other operators only
/// the first output is known; the indices of a pool, for example, are not.
fn has_equal_outputs(operator: &[u8]) -> bool {
    operator == b"Split"
}

/// Returns the output of one node, from the tensors that precede it.
fn infer_output(
    proto: &protobuf::NodeProto,
    known: &HashMap<&[u8], AbstractTensor>,
    opset_version: i64,
) -> OperatorResult {
    if !is_onnx_domain(&proto.domain) {
        return Err("it is not a standard ONNX operator".to_owned());
    }
    let mut names = HashSet::new();
    for attribute in &proto.attributes {
        if !names.insert(&attribute.name) {
            return Err("an attribute occurs twice".to_owned());
        }
        if attribute.graph.is_some() || !attribute.graphs.is_empty() || !attribute.reference.is_empty() {
            return Err("it contains a graph".to_owned());
        }
    }
    let mut inputs = Vec::with_capacity(proto.inputs.len());
    for name in &proto.inputs {
        inputs.push(match known.get(name.as_slice()) {
            Some(value) => Some(value),
            None if name.is_empty() => None,
            None => return Err(format!("its input \"{}\" is unknown", String::from_utf8_lossy(name))),
        });
    }
    let node = ResolvedNode {
        proto,
        inputs,
        opset_version,
    };
    let operator = String::from_utf8_lossy(&proto.operator);
    shape_arithmetic::apply(&operator, &node)
        .or_else(|| elementwise::apply(&operator, &node))
        .or_else(|| matrix_product::apply(&operator, &node))
        .or_else(|| convolution::apply(&operator, &node))
        .or_else(|| reduction::apply(&operator, &node))
        .or_else(|| reshape::apply(&operator, &node))
        .or_else(|| indexing::apply(&operator, &node))
        .unwrap_or_else(|| Err("the operator is not supported by the proof".to_owned()))
}
