//! Random graphs. The checks must not panic on any of them.

use proptest::prelude::*;

use super::super::{check_deterministic, prove_row_independence};
use super::graph_builder::GraphBuilder;

proptest! {
    /// The checks of any graph return a result.
    #[test]
    fn the_checks_never_panic(
        nodes in prop::collection::vec(
            (0..OPERATOR_NAMES.len(), prop::collection::vec(0..9usize, 0..4), node_attributes()),
            1..6,
        ),
        dims in prop::collection::vec(prop_oneof![-2..20i64, any::<i64>()], 0..5),
        integers in prop::collection::vec(prop_oneof![-3..5i64, any::<i64>()], 0..8),
    ) {
        let names = ["input", "w", "i", "", "n0", "n1", "n2", "n3", "n4"];
        let mut builder = GraphBuilder::default().weights("w", &dims).integers("i", &integers);
        for (index, (operator, inputs, attributes)) in nodes.iter().enumerate() {
            let inputs: Vec<&str> = inputs.iter().map(|&input| names[input]).collect();
            let attributes: Vec<(&str, &[i64])> = attributes
                .iter()
                .map(|(name, ints)| (ATTRIBUTE_NAMES[*name], ints.as_slice()))
                .collect();
            builder = builder.node(OPERATOR_NAMES[*operator], &inputs, &format!("n{index}"), &attributes);
        }
        let model = builder.node("Identity", &[&format!("n{}", nodes.len() - 1)], "output", &[]).model();
        let _ = check_deterministic(&model);
        let _ = prove_row_independence(&model, "input", &[3, 4, 4], "output");
    }
}

const OPERATOR_NAMES: [&str; 33] = [
    "Add",
    "ArgMax",
    "AveragePool",
    "Cast",
    "Concat",
    "Constant",
    "Conv",
    "ConvTranspose",
    "CumSum",
    "DepthToSpace",
    "DequantizeLinear",
    "Div",
    "Expand",
    "Flatten",
    "Gather",
    "Gemm",
    "GlobalMaxPool",
    "Identity",
    "MatMul",
    "MatMulInteger",
    "MaxPool",
    "Pad",
    "QLinearMatMul",
    "ReduceSum",
    "Reshape",
    "Shape",
    "Slice",
    "Softmax",
    "SpaceToDepth",
    "Split",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
];

const ATTRIBUTE_NAMES: [&str; 14] = [
    "axis",
    "axes",
    "perm",
    "pads",
    "strides",
    "kernel_shape",
    "blocksize",
    "start",
    "end",
    "to",
    "transA",
    "transB",
    "keepdims",
    "value_ints",
];

fn node_attributes() -> impl Strategy<Value = Vec<(usize, Vec<i64>)>> {
    let ints = prop::collection::vec(prop_oneof![-4..5i64, any::<i64>()], 1..5);
    prop::collection::vec((0..ATTRIBUTE_NAMES.len(), ints), 0..3)
}
