//! Static checks of an ONNX file. They run before ONNX Runtime reads the file.
//!
//! - [`external_data`] checks that every weight is in the file.
//! - [`determinism`] rejects a graph that draws random numbers or trains.
//! - [`row_independence`] follows the batch axis from the input to the output. It proves that row i
//!   of the output is a function of row i of the input, or names the node at which the proof fails.
//!
//! Two readings help a person to describe a model: [`mod@visible_range`] and [`final_softmax`].
//!
//! [`protobuf`] holds the parts of `onnx.proto` that these checks need. The proof computes an
//! [`abstract_tensor`] for each tensor: [`resolved_node`] is a node with its inputs, [`operators`]
//! holds the rules of each operator, and [`shape_rules`] the rules that they share.

mod abstract_tensor;
mod determinism;
mod external_data;
mod final_softmax;
mod operators;
mod protobuf;
mod resolved_node;
mod row_independence;
mod shape_rules;
#[cfg(test)]
mod tests;
mod visible_range;

pub(super) use determinism::check_deterministic;
pub(super) use external_data::{ModelFileError, decode_self_contained_model};
pub(super) use final_softmax::logits_before_softmax;
pub(super) use protobuf::ModelProto;
pub(super) use row_independence::prove_row_independence;
pub(super) use visible_range::visible_range;
pub use visible_range::{RangeSource, VisibleRange};
