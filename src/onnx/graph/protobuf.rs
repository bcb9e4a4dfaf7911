//! The parts of `onnx.proto` that the static checks need. The decoder skips all other fields, and
//! copies no weights.
//!
//! Names are bytes. ONNX Runtime accepts names that are not UTF-8, and the checks must read every
//! file that the runtime reads.
//!
//! An ONNX crate would add the whole schema, and would copy every weight.

use bytes::Bytes;

/// `TensorProto.DataLocation.DEFAULT`.
pub(super) const DATA_LOCATION_DEFAULT: i32 = 0;
/// `TensorProto.DataType` of the types that shapes and axes use.
pub(super) const INT32: i32 = 6;
pub(super) const INT64: i32 = 7;
pub(super) const BOOL: i32 = 9;

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::onnx) struct ModelProto {
    #[prost(message, optional, tag = "7")]
    pub(super) graph: Option<GraphProto>,
    #[prost(message, repeated, tag = "8")]
    pub(super) opsets: Vec<OperatorSetIdProto>,
    #[prost(message, repeated, tag = "25")]
    pub(super) functions: Vec<FunctionProto>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct OperatorSetIdProto {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) domain: Vec<u8>,
    #[prost(int64, tag = "2")]
    pub(super) version: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    pub(super) nodes: Vec<NodeProto>,
    #[prost(message, repeated, tag = "5")]
    pub(super) initializers: Vec<TensorProto>,
    #[prost(message, repeated, tag = "15")]
    pub(super) sparse_initializers: Vec<SparseTensorProto>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct FunctionProto {
    #[prost(message, repeated, tag = "7")]
    pub(super) nodes: Vec<NodeProto>,
    #[prost(message, repeated, tag = "11")]
    pub(super) attributes: Vec<AttributeProto>,
    #[prost(bytes = "vec", tag = "10")]
    pub(super) domain: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct NodeProto {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub(super) inputs: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub(super) outputs: Vec<Vec<u8>>,
    #[prost(bytes = "vec", tag = "3")]
    pub(super) name: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub(super) operator: Vec<u8>,
    #[prost(message, repeated, tag = "5")]
    pub(super) attributes: Vec<AttributeProto>,
    #[prost(bytes = "vec", tag = "7")]
    pub(super) domain: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct AttributeProto {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) name: Vec<u8>,
    #[prost(float, tag = "2")]
    pub(super) float: f32,
    #[prost(int64, tag = "3")]
    pub(super) int: i64,
    #[prost(bytes = "vec", tag = "4")]
    pub(super) text: Vec<u8>,
    #[prost(message, optional, tag = "5")]
    pub(super) tensor: Option<TensorProto>,
    #[prost(message, optional, boxed, tag = "6")]
    pub(super) graph: Option<Box<GraphProto>>,
    #[prost(int64, repeated, tag = "8")]
    pub(super) ints: Vec<i64>,
    #[prost(message, repeated, tag = "10")]
    pub(super) tensors: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    pub(super) graphs: Vec<GraphProto>,
    #[prost(bytes = "vec", tag = "21")]
    pub(super) reference: Vec<u8>,
    #[prost(message, optional, tag = "22")]
    pub(super) sparse_tensor: Option<SparseTensorProto>,
    #[prost(message, repeated, tag = "23")]
    pub(super) sparse_tensors: Vec<SparseTensorProto>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SparseTensorProto {
    #[prost(message, optional, tag = "1")]
    pub(super) values: Option<TensorProto>,
    #[prost(message, optional, tag = "2")]
    pub(super) indices: Option<TensorProto>,
    #[prost(int64, repeated, tag = "3")]
    pub(super) dims: Vec<i64>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct TensorProto {
    #[prost(int64, repeated, tag = "1")]
    pub(super) dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub(super) data_type: i32,
    #[prost(int32, repeated, tag = "5")]
    pub(super) int32s: Vec<i32>,
    #[prost(int64, repeated, tag = "7")]
    pub(super) int64s: Vec<i64>,
    #[prost(bytes = "vec", tag = "8")]
    pub(super) name: Vec<u8>,
    #[prost(bytes = "bytes", tag = "9")]
    pub(super) raw: Bytes,
    #[prost(message, repeated, tag = "13")]
    pub(super) external_data: Vec<StringStringEntryProto>,
    #[prost(int32, tag = "14")]
    pub(super) data_location: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct StringStringEntryProto {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) value: Vec<u8>,
}

impl NodeProto {
    /// Returns an attribute, if it is present.
    pub(super) fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        let mut attributes = self.attributes.iter();
        attributes.find(|attribute| attribute.name == name.as_bytes())
    }
}

impl TensorProto {
    /// Returns the values of a small tensor of integers or booleans. Returns `None` for any other
    /// tensor, and for one whose number of values differs from its shape.
    pub(super) fn integers(&self) -> Option<Vec<i64>> {
        const MAX_VALUES: usize = 64;
        let count = self
            .dims
            .iter()
            .try_fold(1usize, |product, &dim| product.checked_mul(usize::try_from(dim).ok()?))
            .filter(|&count| count <= MAX_VALUES)?;
        let values: Vec<i64> = match (self.data_type, self.raw.is_empty()) {
            (INT64, true) => self.int64s.clone(),
            (INT32 | BOOL, true) => self.int32s.iter().map(|&value| i64::from(value)).collect(),
            (INT64, false) if self.raw.len().is_multiple_of(8) => {
                let words = self.raw.as_chunks::<8>().0;
                words.iter().map(|&word| i64::from_le_bytes(word)).collect()
            }
            (INT32, false) if self.raw.len().is_multiple_of(4) => {
                let words = self.raw.as_chunks::<4>().0;
                words.iter().map(|&word| i64::from(i32::from_le_bytes(word))).collect()
            }
            (BOOL, false) => self.raw.iter().map(|&byte| i64::from(byte)).collect(),
            _ => return None,
        };
        (values.len() == count).then_some(values)
    }
}
