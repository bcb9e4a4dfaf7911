//! Any bytes as an ONNX file.

use bytes::Bytes;

use crate::onnx::graph::{check_deterministic, decode_self_contained_model, prove_row_independence};

/// Decodes `data` and runs the static checks. The names and the shape are those of the fixtures.
///
/// Each error is a text, and the checks end.
pub(crate) fn onnx_graphs(data: &[u8]) {
    let Ok(model) = decode_self_contained_model(Bytes::copy_from_slice(data)) else {
        return;
    };
    let deterministic = check_deterministic(&model);
    assert!(deterministic.err().is_none_or(|reason| !reason.is_empty()), "no reason");
    for (shape, output) in [(&[4][..], "logits"), (&[3, 2, 2], "logits"), (&[], "")] {
        let first = prove_row_independence(&model, "input", shape, output);
        let second = prove_row_independence(&model, "input", shape, output);
        assert_eq!(first, second, "two proofs of one graph differ");
    }
}
