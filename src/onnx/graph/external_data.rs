//! Whether an ONNX file is the whole model: its weights may lie in other files, which no SHA-256 of a manifest speaks of.

use bytes::Bytes;
use prost::Message as _;

use super::wire;

/// What keeps a file from being served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::onnx) enum NotOneFile {
    /// It is no ONNX model, for this reason.
    NoModel(String),
    /// A tensor lies elsewhere.
    Elsewhere {
        /// Its name; empty if it has none.
        tensor: String,
        /// Where, as the file says it.
        location: String,
    },
}

/// Reads the ONNX file `bytes`, and checks that every tensor of it is in it.
pub(in crate::onnx) fn check_one_file(bytes: Bytes) -> Result<wire::Model, NotOneFile> {
    let model = wire::Model::decode(bytes).map_err(|error| NotOneFile::NoModel(error.to_string()))?;
    let graph = model
        .graph
        .as_ref()
        .ok_or_else(|| NotOneFile::NoModel("it has no graph".to_owned()))?;
    let nodes = model.functions.iter().flat_map(|function| &function.nodes);
    let defaults = model.functions.iter().flat_map(|function| &function.attributes);
    let found = in_graph(graph)
        .or_else(|| nodes.flat_map(|node| &node.attributes).find_map(in_attribute))
        .or_else(|| defaults.into_iter().find_map(in_attribute))
        .map(elsewhere);
    found.map_or(Ok(model), Err)
}

/// A tensor that is not in the file. The depth is bounded: what was decoded has less than prost's limit.
fn in_graph(graph: &wire::Graph) -> Option<&wire::Tensor> {
    let sparse = graph.sparse_initializers.iter().flat_map(in_sparse);
    let mut tensors = graph.initializers.iter().chain(sparse);
    tensors.find(|tensor| is_elsewhere(tensor)).or_else(|| {
        let mut attributes = graph.nodes.iter().flat_map(|node| &node.attributes);
        attributes.find_map(in_attribute)
    })
}

fn in_attribute(attribute: &wire::Attribute) -> Option<&wire::Tensor> {
    let sparse = attribute.sparse_tensor.iter().chain(&attribute.sparse_tensors);
    let mut tensors = (attribute.tensor.iter())
        .chain(&attribute.tensors)
        .chain(sparse.flat_map(in_sparse));
    tensors.find(|tensor| is_elsewhere(tensor)).or_else(|| {
        let one = attribute.graph.iter().map(AsRef::as_ref);
        one.chain(&attribute.graphs).find_map(in_graph)
    })
}

fn in_sparse(sparse: &wire::SparseTensor) -> impl Iterator<Item = &wire::Tensor> {
    sparse.values.iter().chain(&sparse.indices)
}

/// One that only names a place is refused too: whether it is read from there is the runtime's to say.
fn is_elsewhere(tensor: &wire::Tensor) -> bool {
    tensor.data_location != wire::IN_THE_FILE || !tensor.external_data.is_empty()
}

fn elsewhere(tensor: &wire::Tensor) -> NotOneFile {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let location = tensor.external_data.iter().find(|entry| entry.key == b"location");
    NotOneFile::Elsewhere {
        tensor: text(&tensor.name),
        location: location.map_or_else(String::new, |entry| text(&entry.value)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::{Attribute, Entry, Function, Graph, Model, Node, SparseTensor, Tensor};
    use super::*;

    fn far() -> Tensor {
        Tensor {
            name: b"w".to_vec(),
            external_data: vec![Entry {
                key: b"location".to_vec(),
                value: b"weights.bin".to_vec(),
            }],
            data_location: 1,
            ..Tensor::default()
        }
    }

    fn node(attribute: Attribute) -> Node {
        Node {
            attributes: vec![Attribute::default(), attribute],
            ..Node::default()
        }
    }

    fn graph_with(attribute: Attribute) -> Graph {
        Graph {
            nodes: vec![Node::default(), node(attribute)],
            ..Graph::default()
        }
    }

    fn checked(graph: Graph) -> Result<(), NotOneFile> {
        let model = Model {
            graph: Some(graph),
            ..Model::default()
        };
        check(&model)
    }

    fn check(model: &Model) -> Result<(), NotOneFile> {
        check_one_file(model.encode_to_vec().into()).map(|read| assert_eq!(read, *model))
    }

    #[test]
    fn a_tensor_elsewhere_is_found_wherever_it_is_named() {
        let found = Err(NotOneFile::Elsewhere {
            tensor: "w".to_owned(),
            location: "weights.bin".to_owned(),
        });
        let sparse = |values, indices| SparseTensor {
            values,
            indices,
            dims: Vec::new(),
        };
        let initializer = Graph {
            initializers: vec![Tensor::default(), far()],
            ..Graph::default()
        };
        assert_eq!(checked(initializer.clone()), found);
        for sparse in [sparse(Some(far()), None), sparse(Some(Tensor::default()), Some(far()))] {
            let graph = Graph {
                sparse_initializers: vec![sparse.clone()],
                ..Graph::default()
            };
            assert_eq!(checked(graph), found);
            let attribute = Attribute {
                sparse_tensors: vec![sparse],
                ..Attribute::default()
            };
            assert_eq!(checked(graph_with(attribute)), found);
        }
        let constant = Attribute {
            tensor: Some(far()),
            ..Attribute::default()
        };
        assert_eq!(checked(graph_with(constant.clone())), found);
        let tensors = Attribute {
            tensors: vec![far()],
            ..Attribute::default()
        };
        assert_eq!(checked(graph_with(tensors)), found);
        // The branch of an If, and a loop in it.
        let branch = Attribute {
            graph: Some(Box::new(graph_with(Attribute {
                graphs: vec![initializer],
                ..Attribute::default()
            }))),
            ..Attribute::default()
        };
        assert_eq!(checked(graph_with(branch)), found);
        for (nodes, attributes) in [(vec![node(constant.clone())], Vec::new()), (Vec::new(), vec![constant])] {
            let model = Model {
                graph: Some(Graph::default()),
                functions: vec![Function {
                    nodes,
                    attributes,
                    ..Function::default()
                }],
                ..Model::default()
            };
            assert_eq!(check(&model), found);
        }
    }

    #[test]
    fn a_place_alone_is_enough_and_none_is_fine() {
        let one = |tensor| {
            checked(Graph {
                initializers: vec![tensor],
                ..Graph::default()
            })
        };
        assert_eq!(one(Tensor::default()), Ok(()));
        let named = Tensor {
            data_location: 0,
            ..far()
        };
        assert!(one(named).is_err());
        let nowhere = Tensor {
            data_location: 1,
            ..Tensor::default()
        };
        assert!(one(nowhere).is_err());
    }

    #[test]
    fn what_cannot_be_read_is_no_model() {
        for bytes in [&b""[..], b"no model at all", b"\x1c\0\0\0ORTM"] {
            let read = check_one_file(Bytes::from_static(bytes));
            assert!(matches!(read, Err(NotOneFile::NoModel(_))), "{bytes:?}");
        }
    }
}
