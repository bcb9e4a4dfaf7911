//! The transfer functions of ONNX operators.
//!
//! Each file holds one kind of operator. Its `apply` takes a node whose inputs are known as
//! [`AbstractTensor`](super::abstract_tensor::AbstractTensor) and returns the node's output. It
//! returns an error if the output may mix rows, and `None` if the operator is not of its kind.

pub(super) mod convolution;
pub(super) mod elementwise;
pub(super) mod indexing;
pub(super) mod matrix_product;
pub(super) mod reduction;
pub(super) mod reshape;
pub(super) mod shape_arithmetic;
