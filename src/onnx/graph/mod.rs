//! The static reading of an ONNX file, before the runtime sees it.
//!
//! [`one_file`] checks that every weight is in the file. [`deterministic`] refuses a graph that draws random numbers or
//! trains. [`row_independence`] follows the batch axis from the input to the output: it proves that row i of the output is
//! a function of row i of the input, or says which node it cannot see through.
//!
//! [`wire`] holds as much of `onnx.proto` as these three need. [`value`] is what is known of a tensor; [`elementwise`],
//! [`layers`], [`layout`] and [`sizes`] are the operators.

#[path = "determinism.rs"]
mod deterministic;
#[path = "operators/elementwise.rs"]
mod elementwise;
#[path = "operators/matrix_product.rs"]
mod layers;
#[path = "operators/reshape.rs"]
mod layout;
#[path = "resolved_node.rs"]
mod node;
#[path = "external_data.rs"]
mod one_file;
mod row_independence;
#[path = "operators/shape_arithmetic.rs"]
mod sizes;
#[cfg(test)]
#[path = "tests/row_independence.rs"]
mod tests;
#[path = "abstract_tensor.rs"]
mod value;
#[path = "protobuf.rs"]
mod wire;

pub(super) use deterministic::check_deterministic;
pub(super) use one_file::{NotOneFile, check_one_file};
pub(super) use row_independence::prove_row_independence;
