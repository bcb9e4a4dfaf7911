//! Builds small ONNX graphs for the tests.

use super::super::protobuf::{
    AttributeProto, GraphProto, INT64, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
};
use super::super::prove_row_independence;

/// Builds a graph from "input", with rows of the shape `[3, 4, 4]`, to "output".
#[derive(Default)]
pub(super) struct GraphBuilder {
    pub(super) graph: GraphProto,
}

impl GraphBuilder {
    /// Adds a float constant.
    pub(super) fn weights(mut self, name: &str, dims: &[i64]) -> Self {
        self.graph.initializers.push(TensorProto {
            name: name.into(),
            dims: dims.to_vec(),
            data_type: 1,
            ..TensorProto::default()
        });
        self
    }

    /// Adds a constant vector of integers.
    pub(super) fn integers(mut self, name: &str, values: &[i64]) -> Self {
        self.graph.initializers.push(TensorProto {
            name: name.into(),
            dims: vec![i64::try_from(values.len()).unwrap()],
            data_type: INT64,
            raw: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect::<Vec<_>>()
                .into(),
            ..TensorProto::default()
        });
        self
    }

    /// Adds a node. An attribute is one integer and a list of integers at once.
    pub(super) fn node(mut self, operator: &str, inputs: &[&str], output: &str, attributes: &[(&str, &[i64])]) -> Self {
        let attributes = attributes.iter().map(|(name, ints)| AttributeProto {
            name: (*name).into(),
            int: ints[0],
            ints: ints.to_vec(),
            ..AttributeProto::default()
        });
        self.graph.nodes.push(NodeProto {
            operator: operator.into(),
            inputs: inputs.iter().map(|&input| input.into()).collect(),
            outputs: vec![output.into()],
            attributes: attributes.collect(),
            ..NodeProto::default()
        });
        self
    }

    /// Returns the model with opset 17.
    pub(super) fn model(self) -> ModelProto {
        ModelProto {
            graph: Some(self.graph),
            opsets: vec![OperatorSetIdProto {
                domain: Vec::new(),
                version: 17,
            }],
            functions: Vec::new(),
        }
    }

    /// Runs the proof of row independence.
    pub(super) fn prove(self) -> Result<(), String> {
        prove_row_independence(&self.model(), "input", &[3, 4, 4], "output")
    }
}

/// Returns a graph that flattens the input to "flat". It has weights "w" and a bias "b" for it.
pub(super) fn flattened_input() -> GraphBuilder {
    GraphBuilder::default()
        .node("Flatten", &["input"], "flat", &[])
        .weights("w", &[48, 10])
        .weights("b", &[10])
}
