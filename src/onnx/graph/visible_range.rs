//! Reads the range of the input values from the first nodes of a graph, where an export shows it.
//!
//! The result is a proposal for a person who writes a manifest. No certificate depends on it.

use half::f16;

use super::protobuf::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto};

/// A range of input values, and the node that shows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VisibleRange {
    /// The lowest value.
    pub low: f64,
    /// The highest value.
    pub high: f64,
    /// The kind of node.
    pub shown_by: RangeSource,
}

/// The node that shows a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeSource {
    /// The graph clips its input to the range, so no value outside has a meaning of its own.
    Clip,
    /// The graph subtracts means from its input. They are means of values in the range, which is
    /// usual and not certain.
    Means,
}

/// The means of images lie within these ranges.
const USUAL_RANGES: [(f64, f64); 2] = [(0.0, 1.0), (0.0, 255.0)];

/// The most values of a constant that are means, one for each channel.
const MAX_CHANNELS: usize = 16;

/// `TensorProto.DataType` of the types of means and bounds.
const FLOAT: i32 = 1;
const FLOAT16: i32 = 10;
const DOUBLE: i32 = 11;

/// Returns the range of the values of `input`, if the first nodes of the graph show one.
pub(in crate::onnx) fn visible_range(model: &ModelProto, input: &str) -> Option<VisibleRange> {
    let graph = model.graph.as_ref()?;
    let mut tensor = input.as_bytes();
    // Nodes that keep each value may precede. A graph without cycles has no more nodes than that.
    for _ in 0..=graph.nodes.len() {
        let mut users = graph
            .nodes
            .iter()
            .filter(|node| node.inputs.iter().any(|name| name.as_slice() == tensor));
        let (node, None) = (users.next()?, users.next()) else {
            return None;
        };
        match node.operator.as_slice() {
            b"Cast" | b"Identity" | b"Transpose" => tensor = node.outputs.first()?,
            b"Clip" => {
                let bound = |index, name| match node.attribute(name) {
                    Some(attribute) => Some(f64::from(attribute.float)),
                    None => single(&constant(graph, node.inputs.get(index))?),
                };
                let (low, high) = (bound(1, "min")?, bound(2, "max")?);
                return (low < high).then_some(VisibleRange {
                    low,
                    high,
                    shown_by: RangeSource::Clip,
                });
            }
            b"Sub" if node.inputs.first().is_some_and(|name| name.as_slice() == tensor) => {
                return range_of_means(&constant(graph, node.inputs.get(1))?);
            }
            _ => return None,
        }
    }
    None
}

fn single(values: &[f64]) -> Option<f64> {
    match values {
        [value] => Some(*value),
        _ => None,
    }
}

/// The usual range of values with these means. A mean of 0 shows nothing.
fn range_of_means(means: &[f64]) -> Option<VisibleRange> {
    let (low, high) = USUAL_RANGES
        .into_iter()
        .find(|&(low, high)| means.iter().all(|&mean| low < mean && mean < high))?;
    Some(VisibleRange {
        low,
        high,
        shown_by: RangeSource::Means,
    })
}

/// The values of the constant `name`, if they are a few floats.
fn constant(graph: &GraphProto, name: Option<&Vec<u8>>) -> Option<Vec<f64>> {
    let name = name?.as_slice();
    let initializer = graph.initializers.iter().find(|tensor| tensor.name == name);
    let node = |node: &&NodeProto| node.outputs.first().is_some_and(|output| output == name);
    let of_node = || -> Option<&AttributeProto> {
        let node = graph.nodes.iter().find(node)?;
        (node.operator == b"Constant").then(|| node.attribute("value"))?
    };
    match initializer {
        Some(tensor) => few_floats(tensor),
        None => few_floats(of_node()?.tensor.as_ref()?),
    }
}

fn few_floats(tensor: &TensorProto) -> Option<Vec<f64>> {
    let values: Vec<f64> = match tensor.data_type {
        FLOAT => {
            let words = tensor.raw.as_chunks::<4>().0.iter();
            words.map(|&word| f64::from(f32::from_le_bytes(word))).collect()
        }
        FLOAT16 => {
            let words = tensor.raw.as_chunks::<2>().0.iter();
            words.map(|&word| f64::from(f16::from_le_bytes(word))).collect()
        }
        DOUBLE => {
            let words = tensor.raw.as_chunks::<8>().0.iter();
            words.map(|&word| f64::from_le_bytes(word)).collect()
        }
        _ => return None,
    };
    (1..=MAX_CHANNELS).contains(&values.len()).then_some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(name: &str, values: &[f32]) -> TensorProto {
        TensorProto {
            name: name.into(),
            dims: vec![i64::try_from(values.len()).unwrap()],
            data_type: FLOAT,
            raw: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect::<Vec<_>>()
                .into(),
            ..TensorProto::default()
        }
    }

    fn node(operator: &str, inputs: &[&str], output: &str) -> NodeProto {
        NodeProto {
            operator: operator.into(),
            inputs: inputs.iter().map(|&name| name.into()).collect(),
            outputs: vec![output.into()],
            ..NodeProto::default()
        }
    }

    fn found(nodes: Vec<NodeProto>, initializers: Vec<TensorProto>) -> Option<(f64, f64, RangeSource)> {
        let graph = GraphProto {
            nodes,
            initializers,
            ..GraphProto::default()
        };
        let model = ModelProto {
            graph: Some(graph),
            ..ModelProto::default()
        };
        visible_range(&model, "x").map(|range| (range.low, range.high, range.shown_by))
    }

    #[test]
    fn a_clip_shows_its_bounds() {
        let bounds = vec![tensor("low", &[-1.0]), tensor("high", &[1.0])];
        let nodes = vec![
            node("Cast", &["x"], "y"),
            node("Clip", &["y", "low", "high"], "z"),
            node("Relu", &["z"], "logits"),
        ];
        assert_eq!(found(nodes, bounds), Some((-1.0, 1.0, RangeSource::Clip)));
        // Before version 11 the bounds are attributes.
        let attribute = |name: &str, float| AttributeProto {
            name: name.into(),
            float,
            ..AttributeProto::default()
        };
        let old = NodeProto {
            attributes: vec![attribute("min", 0.0), attribute("max", 6.0)],
            ..node("Clip", &["x"], "y")
        };
        assert_eq!(found(vec![old], Vec::new()), Some((0.0, 6.0, RangeSource::Clip)));
    }

    #[test]
    fn means_show_the_usual_range() {
        let of = |means: &[f32]| found(vec![node("Sub", &["x", "mean"], "y")], vec![tensor("mean", means)]);
        assert_eq!(of(&[0.485, 0.456, 0.406]), Some((0.0, 1.0, RangeSource::Means)));
        assert_eq!(of(&[123.7, 116.8, 103.9]), Some((0.0, 255.0, RangeSource::Means)));
        assert_eq!(of(&[0.0]), None);
        assert_eq!(of(&[300.0]), None);
    }

    #[test]
    fn other_graphs_show_nothing() {
        assert_eq!(found(vec![node("Conv", &["x", "w"], "y")], Vec::new()), None);
        // Two users: the other one sees values that are not clipped.
        let bounds = vec![tensor("low", &[-1.0]), tensor("high", &[1.0])];
        let nodes = vec![node("Clip", &["x", "low", "high"], "y"), node("Relu", &["x"], "z")];
        assert_eq!(found(nodes, bounds), None);
        // A bound that is computed is no constant.
        let nodes = vec![node("Relu", &["x"], "high"), node("Clip", &["x", "high", "high"], "y")];
        assert_eq!(found(nodes, Vec::new()), None);
    }
}
