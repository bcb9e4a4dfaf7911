//! Refuses graphs that are no function: those that draw random numbers, and those that train.

use std::collections::HashMap;

use super::wire::{Function, Graph, Model, Node, Tensor};

/// Operators that draw random numbers.
const RANDOM: [&str; 9] = [
    "Bernoulli",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    // ONNX Runtime's own.
    "RandomGenerator",
    "Sampling",
    "Random",
];

/// Operators that belong to training, whatever their attributes.
const TRAINING: [&str; 4] = ["Adagrad", "Adam", "Gradient", "Momentum"];

/// Looks at every node of `model`, in branches, loops and functions too, whether the output needs it or not.
///
/// # Errors
/// Says which node draws random numbers or trains.
pub(in crate::onnx) fn check_deterministic(model: &Model) -> Result<(), String> {
    let opset = opset(model);
    let mut known = Known::default();
    if let Some(graph) = &model.graph {
        in_graph(graph, opset, &mut known)?;
    }
    for Function { nodes, .. } in &model.functions {
        in_nodes(nodes, opset, &mut Known::default())?;
    }
    Ok(())
}

/// The version of ONNX's own operators.
pub(super) fn opset(model: &Model) -> i64 {
    let own = model.opsets.iter().filter(|opset| is_onnx(&opset.domain));
    own.map(|opset| opset.version).max().unwrap_or(0)
}

/// Whether operators of `domain` are ONNX's own.
pub(super) fn is_onnx(domain: &[u8]) -> bool {
    matches!(domain, b"" | b"ai.onnx")
}

/// Constants of the graph and of those around it, by name.
type Known<'a> = HashMap<&'a [u8], &'a Tensor>;

fn in_graph<'a>(graph: &'a Graph, opset: i64, known: &mut Known<'a>) -> Result<(), String> {
    known.extend(graph.initializers.iter().map(|tensor| (tensor.name.as_slice(), tensor)));
    in_nodes(&graph.nodes, opset, known)
}

fn in_nodes<'a>(nodes: &'a [Node], opset: i64, known: &mut Known<'a>) -> Result<(), String> {
    for node in nodes {
        check(node, opset, known)?;
        let value = node.attribute("value").and_then(|value| value.tensor.as_ref());
        if let (b"Constant", Some(tensor), [output]) = (node.operator.as_slice(), value, node.outputs.as_slice()) {
            known.insert(output, tensor);
        }
        let graphs = node.attributes.iter().flat_map(|attribute| {
            let one = attribute.graph.iter().map(AsRef::as_ref);
            one.chain(&attribute.graphs)
        });
        for graph in graphs {
            in_graph(graph, opset, &mut known.clone())?;
        }
    }
    Ok(())
}

fn check(node: &Node, opset: i64, known: &Known) -> Result<(), String> {
    let operator = String::from_utf8_lossy(&node.operator);
    let name = || describe(node);
    if RANDOM.contains(&operator.as_ref()) || operator.starts_with("Random") {
        return Err(format!("{} draws random numbers", name()));
    }
    let training_domain = node.domain.starts_with(b"ai.onnx.preview.training");
    if TRAINING.contains(&operator.as_ref()) || training_domain || operator.ends_with("Grad") {
        return Err(format!("{} belongs to training", name()));
    }
    let int = |name: &str| node.attribute(name).map_or(0, |attribute| attribute.int);
    // An attribute that a function's caller sets is not seen here.
    let by_caller = node.attributes.iter().any(|attribute| !attribute.reference.is_empty());
    let trains = match operator.as_ref() {
        "BatchNormalization" if opset < 7 => int("is_test") == 0,
        "BatchNormalization" if opset < 14 => node.outputs.iter().skip(1).any(|output| !output.is_empty()),
        "BatchNormalization" => int("training_mode") != 0 || by_caller,
        "Dropout" if opset < 7 => int("is_test") == 0,
        "Dropout" if opset < 12 => false,
        "Dropout" => match node.inputs.get(2).filter(|input| !input.is_empty()) {
            None => false,
            Some(mode) => known.get(mode.as_slice()).and_then(|tensor| tensor.integers()) != Some(vec![0]),
        },
        // Of other domains: each has its own place for the mode.
        other => other.contains("Dropout"),
    };
    if trains {
        return Err(format!(
            "{} trains, so that it answers at random or by its batch",
            name()
        ));
    }
    Ok(())
}

/// A node as a person finds it.
pub(super) fn describe(node: &Node) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let operator = text(&node.operator);
    let operator = if is_onnx(&node.domain) {
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
