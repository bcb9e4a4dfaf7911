//! Rejects graphs that do not compute a function: those that draw random numbers, and those that
//! train.

use std::collections::HashMap;

use super::protobuf::{FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto};

/// Operators that draw random numbers.
const RANDOM_OPERATORS: [&str; 9] = [
    "Bernoulli",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    // Operators of ONNX Runtime.
    "RandomGenerator",
    "Sampling",
    "Random",
];

/// Operators of training, regardless of their attributes.
const TRAINING_OPERATORS: [&str; 4] = ["Adagrad", "Adam", "Gradient", "Momentum"];

/// Checks every node of `model`, including those in branches, loops and functions. A node counts
/// even if the output does not depend on it.
///
/// # Errors
/// Names the node that draws random numbers or trains.
pub(in crate::onnx) fn check_deterministic(model: &ModelProto) -> Result<(), String> {
    let opset = onnx_opset_version(model);
    let mut constants = ConstantsByName::default();
    if let Some(graph) = &model.graph {
        check_graph(graph, opset, &mut constants)?;
    }
    for FunctionProto { nodes, .. } in &model.functions {
        check_nodes(nodes, opset, &mut ConstantsByName::default())?;
    }
    Ok(())
}

/// Returns the version of the standard ONNX operators.
pub(super) fn onnx_opset_version(model: &ModelProto) -> i64 {
    let standard = model.opsets.iter().filter(|opset| is_onnx_domain(&opset.domain));
    standard.map(|opset| opset.version).max().unwrap_or(0)
}

/// Returns whether `domain` is that of the standard ONNX operators.
pub(super) fn is_onnx_domain(domain: &[u8]) -> bool {
    matches!(domain, b"" | b"ai.onnx")
}

/// The constants of a graph and of the graphs that enclose it, by name.
type ConstantsByName<'a> = HashMap<&'a [u8], &'a TensorProto>;

fn check_graph<'a>(graph: &'a GraphProto, opset: i64, constants: &mut ConstantsByName<'a>) -> Result<(), String> {
    constants.extend(graph.initializers.iter().map(|tensor| (tensor.name.as_slice(), tensor)));
    check_nodes(&graph.nodes, opset, constants)
}

fn check_nodes<'a>(nodes: &'a [NodeProto], opset: i64, constants: &mut ConstantsByName<'a>) -> Result<(), String> {
    for node in nodes {
        check_node(node, opset, constants)?;
        let value = node.attribute("value").and_then(|value| value.tensor.as_ref());
        if let (b"Constant", Some(tensor), [output]) = (node.operator.as_slice(), value, node.outputs.as_slice()) {
            constants.insert(output, tensor);
        }
        let graphs = node.attributes.iter().flat_map(|attribute| {
            let one = attribute.graph.iter().map(AsRef::as_ref);
            one.chain(&attribute.graphs)
        });
        for graph in graphs {
            check_graph(graph, opset, &mut constants.clone())?;
        }
    }
    Ok(())
}

fn check_node(node: &NodeProto, opset: i64, constants: &ConstantsByName) -> Result<(), String> {
    let operator = String::from_utf8_lossy(&node.operator);
    let name = || describe_node(node);
    if RANDOM_OPERATORS.contains(&operator.as_ref()) || operator.starts_with("Random") {
        return Err(format!("{} draws random numbers", name()));
    }
    let training_domain = node.domain.starts_with(b"ai.onnx.preview.training");
    if TRAINING_OPERATORS.contains(&operator.as_ref()) || training_domain || operator.ends_with("Grad") {
        return Err(format!("{} is an operator of training", name()));
    }
    let int = |name: &str| node.attribute(name).map_or(0, |attribute| attribute.int);
    // The caller of a function sets the value of such an attribute, so the value is unknown here.
    let has_reference_attribute = node.attributes.iter().any(|attribute| !attribute.reference.is_empty());
    let trains = match operator.as_ref() {
        "BatchNormalization" if opset < 7 => int("is_test") == 0,
        "BatchNormalization" if opset < 14 => node.outputs.iter().skip(1).any(|output| !output.is_empty()),
        "BatchNormalization" => int("training_mode") != 0 || has_reference_attribute,
        "Dropout" if opset < 7 => int("is_test") == 0,
        "Dropout" if opset < 12 => false,
        "Dropout" => match node.inputs.get(2).filter(|input| !input.is_empty()) {
            None => false,
            Some(mode) => constants.get(mode.as_slice()).and_then(|tensor| tensor.integers()) != Some(vec![0]),
        },
        // Operators of other domains: each stores the mode in another place.
        other => other.contains("Dropout"),
    };
    if trains {
        return Err(format!(
            "{} runs in training mode, so its output is random or depends on the batch",
            name()
        ));
    }
    Ok(())
}

/// Describes a node for a person who looks for it in the graph.
pub(super) fn describe_node(node: &NodeProto) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let operator = text(&node.operator);
    let operator = if is_onnx_domain(&node.domain) {
        operator
    } else {
        format!("{}.{operator}", text(&node.domain))
    };
    let name = match (node.name.as_slice(), node.outputs.first()) {
        (b"", Some(output)) => text(output),
        (name, _) => text(name),
    };
    format!("the node \"{name}\" ({operator})")
}
