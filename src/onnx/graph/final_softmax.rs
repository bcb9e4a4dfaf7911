//! Finds the softmax at the end of a graph.

use super::protobuf::ModelProto;

/// Returns the tensor that the softmax at the end of the graph reads: the logits behind the
/// probabilities of `output`. Returns `None` if the output is not that of a softmax.
pub(in crate::onnx) fn logits_before_softmax(model: &ModelProto, output: &str) -> Option<String> {
    let graph = model.graph.as_ref()?;
    let mut tensor = output.as_bytes();
    // A graph without cycles has no longer path than its number of nodes.
    for _ in 0..graph.nodes.len() {
        let is_origin = |node: &&super::protobuf::NodeProto| node.outputs.iter().any(|name| name.as_slice() == tensor);
        let node = graph.nodes.iter().find(is_origin)?;
        match node.operator.as_slice() {
            // These keep the values of each row.
            b"Cast" | b"Flatten" | b"Identity" | b"Reshape" | b"Squeeze" | b"Unsqueeze" => {
                tensor = node.inputs.first()?;
            }
            b"Softmax" => return Some(String::from_utf8_lossy(node.inputs.first()?).into_owned()),
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::protobuf::{GraphProto, NodeProto};
    use super::*;

    #[test]
    fn a_softmax_is_found_behind_nodes_that_keep_the_values() {
        let node = |operator: &str, input: &str, output: &str| NodeProto {
            operator: operator.into(),
            inputs: vec![input.into()],
            outputs: vec![output.into()],
            ..NodeProto::default()
        };
        let model = ModelProto {
            graph: Some(GraphProto {
                nodes: vec![
                    node("Gemm", "x", "logits"),
                    node("Softmax", "logits", "p"),
                    node("Cast", "p", "probabilities"),
                ],
                ..GraphProto::default()
            }),
            ..ModelProto::default()
        };
        assert_eq!(
            logits_before_softmax(&model, "probabilities").as_deref(),
            Some("logits")
        );
        assert_eq!(logits_before_softmax(&model, "logits"), None);
        assert_eq!(logits_before_softmax(&model, "absent"), None);
    }
}
