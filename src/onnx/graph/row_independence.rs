//! Follows the batch axis through a graph.
//!
//! Each tensor that the output needs is a constant, or a tensor whose slice i along axis 0 is one function of row i of the input,
//! the same function for every i and for every number of rows. Each operator of the table keeps that property or is refused; so does
//! the output have it, by induction over the nodes. Arithmetic is not looked at: a runtime may still round differently
//! in batches of different sizes, which is the self-test's to find.

use std::collections::{HashMap, HashSet};

use super::deterministic::{describe, is_onnx, opset};
use super::node::Node;
use super::value::{Length, Proven, Value};
use super::wire::{self, Model};
use super::{elementwise, layers, layout, sizes};

/// Proves that row i of `output` is a function of row i of `input` alone, whatever the other rows are and however many.
///
/// `row`: the shape of one row of the input.
///
/// # Errors
/// The first node that the proof cannot see through, and why. The graph may still be row by row.
pub(in crate::onnx) fn prove_row_independence(
    model: &Model,
    input: &str,
    row: &[usize],
    output: &str,
) -> Result<(), String> {
    let graph = model.graph.as_ref().ok_or("it has no graph")?;
    if model.functions.iter().any(|function| is_onnx(&function.domain)) {
        return Err("it defines one of ONNX's own operators anew".to_owned());
    }
    let mut known: HashMap<&[u8], Value> = HashMap::new();
    let mut add = |name, value| match known.insert(name, value) {
        None => Ok(()),
        Some(_) => Err(format!(
            "the tensor \"{}\" is there twice",
            String::from_utf8_lossy(name)
        )),
    };
    let shape: Vec<Length> = row.iter().map(|&length| Some(length)).collect();
    add(input.as_bytes(), Value::Rows(shape))?;
    for tensor in &graph.initializers {
        add(&tensor.name, Value::Constant(sizes::constant(tensor)))?;
    }
    for sparse in &graph.sparse_initializers {
        if let Some(values) = &sparse.values {
            let shape = sparse.dims.iter().map(|&length| usize::try_from(length).ok()).collect();
            add(&values.name, Value::weights(shape))?;
        }
    }
    let needed = needed(graph, output);
    for (node, _) in graph.nodes.iter().zip(&needed).filter(|(_, needed)| **needed) {
        let value = one(node, &known, opset(model)).map_err(|why| format!("{}: {why}", describe(node)))?;
        let results = if several_outputs_are_alike(&node.operator) {
            &node.outputs[..]
        } else {
            node.outputs.get(..1).unwrap_or_default()
        };
        for name in results.iter().filter(|name| !name.is_empty()) {
            if known.insert(name, value.clone()).is_some() {
                return Err(format!("{}: its output is there twice", describe(node)));
            }
        }
    }
    match known.get(output.as_bytes()) {
        Some(Value::Rows(shape)) if shape.len() == 1 => Ok(()),
        Some(Value::Rows(_)) => Err(format!(
            "the output \"{output}\" is no matrix with a row for each input"
        )),
        Some(_) => Err(format!("the output \"{output}\" does not depend on the input")),
        None => Err(format!("nothing is known of the output \"{output}\"")),
    }
}

/// Whether each node has a part in `output`.
fn needed(graph: &wire::Graph, output: &str) -> Vec<bool> {
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

/// The other outputs of other operators (the indices of a pool, say) are not known.
fn several_outputs_are_alike(operator: &[u8]) -> bool {
    operator == b"Split"
}

fn one(wire: &wire::Node, known: &HashMap<&[u8], Value>, opset: i64) -> Proven {
    if !is_onnx(&wire.domain) {
        return Err("it is not one of ONNX's own operators".to_owned());
    }
    let mut names = HashSet::new();
    for attribute in &wire.attributes {
        if !names.insert(&attribute.name) {
            return Err("an attribute is there twice".to_owned());
        }
        if attribute.graph.is_some() || !attribute.graphs.is_empty() || !attribute.reference.is_empty() {
            return Err("it has a graph of its own".to_owned());
        }
    }
    let mut inputs = Vec::with_capacity(wire.inputs.len());
    for name in &wire.inputs {
        inputs.push(match known.get(name.as_slice()) {
            Some(value) => Some(value),
            None if name.is_empty() => None,
            None => return Err(format!("nothing is known of \"{}\"", String::from_utf8_lossy(name))),
        });
    }
    let node = Node { wire, inputs, opset };
    let operator = String::from_utf8_lossy(&wire.operator);
    sizes::apply(&operator, &node)
        .or_else(|| elementwise::apply(&operator, &node))
        .or_else(|| layers::apply(&operator, &node))
        .or_else(|| layout::apply(&operator, &node))
        .unwrap_or_else(|| Err("nothing is known of this operator".to_owned()))
}
