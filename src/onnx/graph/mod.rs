//! The static reading of an ONNX file, before the runtime sees it.
//!
//! [`one_file`] checks that every weight is in the file. [`deterministic`] refuses a graph that draws random numbers or
//! trains. [`row_independence`] follows the batch axis from the input to the output: it proves that row i of the output is
//! a function of row i of the input, or says which node it cannot see through.
//!
//! [`wire`] holds as much of `onnx.proto` as these three need. [`value`] is what is known of a tensor; [`elementwise`],
//! [`layers`], [`layout`] and [`sizes`] are the operators.

mod deterministic;
mod elementwise;
mod layers;
mod layout;
mod node;
mod one_file;
mod row_independence;
mod sizes;
#[cfg(test)]
mod tests;
mod value;
mod wire;

pub(super) use deterministic::check_deterministic;
pub(super) use one_file::{NotOneFile, check_one_file};
pub(super) use row_independence::prove_row_independence;
