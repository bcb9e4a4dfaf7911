//! Rejects an ONNX file that stores weights in other files. The SHA-256 of the manifest does not
//! cover those files.

use bytes::Bytes;
use prost::Message as _;

use super::protobuf;

/// The reason why a model file cannot be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::onnx) enum ModelFileError {
    /// The file is not an ONNX model, for this reason.
    InvalidModel(String),
    /// A tensor is stored in another file.
    ExternalTensor {
        /// The name of the tensor; empty if it has none.
        tensor: String,
        /// The location that the file records.
        location: String,
    },
}

/// Decodes the ONNX file `bytes`, and checks that it contains every tensor.
pub(in crate::onnx) fn decode_self_contained_model(bytes: Bytes) -> Result<protobuf::ModelProto, ModelFileError> {
    let model = protobuf::ModelProto::decode(bytes).map_err(|error| ModelFileError::InvalidModel(error.to_string()))?;
    let graph = model
        .graph
        .as_ref()
        .ok_or_else(|| ModelFileError::InvalidModel("it has no graph".to_owned()))?;
    let nodes = model.functions.iter().flat_map(|function| &function.nodes);
    let defaults = model.functions.iter().flat_map(|function| &function.attributes);
    let found = external_tensor_in_graph(graph)
        .or_else(|| {
            nodes
                .flat_map(|node| &node.attributes)
                .find_map(external_tensor_in_attribute)
        })
        .or_else(|| defaults.into_iter().find_map(external_tensor_in_attribute))
        .map(external_tensor_error);
    found.map_or(Ok(model), Err)
}

/// Returns a tensor that is not in the file. The recursion is bounded: prost limits the depth of a
/// message that it decodes.
fn external_tensor_in_graph(graph: &protobuf::GraphProto) -> Option<&protobuf::TensorProto> {
    let sparse = graph.sparse_initializers.iter().flat_map(tensors_of_sparse);
    let mut tensors = graph.initializers.iter().chain(sparse);
    tensors.find(|tensor| is_external(tensor)).or_else(|| {
        let mut attributes = graph.nodes.iter().flat_map(|node| &node.attributes);
        attributes.find_map(external_tensor_in_attribute)
    })
}

fn external_tensor_in_attribute(attribute: &protobuf::AttributeProto) -> Option<&protobuf::TensorProto> {
    let sparse = attribute.sparse_tensor.iter().chain(&attribute.sparse_tensors);
    let mut tensors = (attribute.tensor.iter())
        .chain(&attribute.tensors)
        .chain(sparse.flat_map(tensors_of_sparse));
    tensors.find(|tensor| is_external(tensor)).or_else(|| {
        let single = attribute.graph.iter().map(AsRef::as_ref);
        single.chain(&attribute.graphs).find_map(external_tensor_in_graph)
    })
}

fn tensors_of_sparse(sparse: &protobuf::SparseTensorProto) -> impl Iterator<Item = &protobuf::TensorProto> {
    sparse.values.iter().chain(&sparse.indices)
}

/// Returns whether a tensor may be stored in another file. A tensor that only records a location
/// counts too, because the runtime decides whether it reads that location.
fn is_external(tensor: &protobuf::TensorProto) -> bool {
    tensor.data_location != protobuf::DATA_LOCATION_DEFAULT || !tensor.external_data.is_empty()
}

fn external_tensor_error(tensor: &protobuf::TensorProto) -> ModelFileError {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let location = tensor.external_data.iter().find(|entry| entry.key == b"location");
    ModelFileError::ExternalTensor {
        tensor: text(&tensor.name),
        location: location.map_or_else(String::new, |entry| text(&entry.value)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::protobuf::{
        AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, StringStringEntryProto,
        TensorProto,
    };
    use super::*;

    fn external_tensor() -> TensorProto {
        TensorProto {
            name: b"w".to_vec(),
            external_data: vec![StringStringEntryProto {
                key: b"location".to_vec(),
                value: b"weights.bin".to_vec(),
            }],
            data_location: 1,
            ..TensorProto::default()
        }
    }

    fn node(attribute: AttributeProto) -> NodeProto {
        NodeProto {
            attributes: vec![AttributeProto::default(), attribute],
            ..NodeProto::default()
        }
    }

    fn graph_with(attribute: AttributeProto) -> GraphProto {
        GraphProto {
            nodes: vec![NodeProto::default(), node(attribute)],
            ..GraphProto::default()
        }
    }

    fn checked(graph: GraphProto) -> Result<(), ModelFileError> {
        let model = ModelProto {
            graph: Some(graph),
            ..ModelProto::default()
        };
        check(&model)
    }

    fn check(model: &ModelProto) -> Result<(), ModelFileError> {
        decode_self_contained_model(model.encode_to_vec().into()).map(|read| assert_eq!(read, *model))
    }

    #[test]
    fn an_external_tensor_is_found_in_every_field() {
        let expected = Err(ModelFileError::ExternalTensor {
            tensor: "w".to_owned(),
            location: "weights.bin".to_owned(),
        });
        let sparse = |values, indices| SparseTensorProto {
            values,
            indices,
            dims: Vec::new(),
        };
        let initializer = GraphProto {
            initializers: vec![TensorProto::default(), external_tensor()],
            ..GraphProto::default()
        };
        assert_eq!(checked(initializer.clone()), expected);
        for sparse in [
            sparse(Some(external_tensor()), None),
            sparse(Some(TensorProto::default()), Some(external_tensor())),
        ] {
            let graph = GraphProto {
                sparse_initializers: vec![sparse.clone()],
                ..GraphProto::default()
            };
            assert_eq!(checked(graph), expected);
            let attribute = AttributeProto {
                sparse_tensors: vec![sparse],
                ..AttributeProto::default()
            };
            assert_eq!(checked(graph_with(attribute)), expected);
        }
        let constant = AttributeProto {
            tensor: Some(external_tensor()),
            ..AttributeProto::default()
        };
        assert_eq!(checked(graph_with(constant.clone())), expected);
        let tensors = AttributeProto {
            tensors: vec![external_tensor()],
            ..AttributeProto::default()
        };
        assert_eq!(checked(graph_with(tensors)), expected);
        // The branch of an If, with a loop in it.
        let branch = AttributeProto {
            graph: Some(Box::new(graph_with(AttributeProto {
                graphs: vec![initializer],
                ..AttributeProto::default()
            }))),
            ..AttributeProto::default()
        };
        assert_eq!(checked(graph_with(branch)), expected);
        for (nodes, attributes) in [(vec![node(constant.clone())], Vec::new()), (Vec::new(), vec![constant])] {
            let model = ModelProto {
                graph: Some(GraphProto::default()),
                functions: vec![FunctionProto {
                    nodes,
                    attributes,
                    ..FunctionProto::default()
                }],
                ..ModelProto::default()
            };
            assert_eq!(check(&model), expected);
        }
    }

    #[test]
    fn a_location_alone_makes_a_tensor_external() {
        let one = |tensor| {
            checked(GraphProto {
                initializers: vec![tensor],
                ..GraphProto::default()
            })
        };
        assert_eq!(one(TensorProto::default()), Ok(()));
        let named = TensorProto {
            data_location: 0,
            ..external_tensor()
        };
        assert!(one(named).is_err());
        let without_location = TensorProto {
            data_location: 1,
            ..TensorProto::default()
        };
        assert!(one(without_location).is_err());
    }

    #[test]
    fn an_undecodable_file_is_an_invalid_model() {
        for bytes in [&b""[..], b"no model at all", b"\x1c\0\0\0ORTM"] {
            let read = decode_self_contained_model(Bytes::from_static(bytes));
            assert!(matches!(read, Err(ModelFileError::InvalidModel(_))), "{bytes:?}");
        }
    }
}
