//! Graphs that compute each row by itself, and graphs that only appear to.

use super::super::protobuf::FunctionProto;
use super::super::prove_row_independence;
use super::graph_builder::{GraphBuilder, flattened_input};

/// Runs the proof on a graph of one node that follows the flattened input. The node's output is
/// "output".
fn prove_single_node(operator: &str, inputs: &[&str], attributes: &[(&str, &[i64])]) -> Result<(), String> {
    flattened_input().node(operator, inputs, "output", attributes).prove()
}

#[test]
fn ordinary_networks_are_proven() {
    prove_single_node("Gemm", &["flat", "w", "b"], &[]).unwrap();
    prove_single_node("MatMul", &["flat", "w"], &[]).unwrap();
    prove_single_node("Softmax", &["flat"], &[("axis", &[-1])]).unwrap();
    GraphBuilder::default()
        .weights("k", &[8, 3, 3, 3])
        .weights("mean", &[1, 3, 1, 1])
        .weights("scale", &[8])
        .weights("w", &[10, 8 * 2 * 2])
        .integers("shape", &[-1, 8 * 2 * 2])
        .node("Sub", &["input", "mean"], "centred", &[])
        .node(
            "Conv",
            &["centred", "k"],
            "c",
            &[("pads", &[1, 1, 1, 1]), ("strides", &[1, 1])],
        )
        .node(
            "BatchNormalization",
            &["c", "scale", "scale", "scale", "scale"],
            "n",
            &[],
        )
        .node(
            "MaxPool",
            &["n"],
            "p",
            &[("kernel_shape", &[2, 2]), ("strides", &[2, 2])],
        )
        .node("Relu", &["p"], "r", &[])
        .node("Reshape", &["r", "shape"], "f", &[])
        .node("Gemm", &["f", "w"], "output", &[("transB", &[1])])
        .prove()
        .unwrap();
}

/// The graph that exporters write for `x.view(x.size(0), -1)`.
#[test]
fn a_shape_computed_from_the_number_of_rows_is_proven() {
    let shape = |first: i64| {
        GraphBuilder::default()
            .integers("first", &[first])
            .integers("rest", &[-1])
            .integers("axes", &[0])
            .integers("shape1", &[1])
            .node("Shape", &["input"], "sizes", &[])
            .node("Gather", &["sizes", "first"], "rows", &[])
            .node("Concat", &["rows", "rest"], "shape", &[("axis", &[0])])
            .node("Reshape", &["input", "shape"], "output", &[])
            .prove()
    };
    shape(0).unwrap();
    // The number of channels in place of the number of rows.
    assert!(
        shape(1).unwrap_err().contains("parts of several input rows"),
        "{:?}",
        shape(1)
    );
}

#[test]
fn attention_within_a_row_is_proven_and_across_rows_is_not() {
    let attention = |shape: &[i64], order: &[i64]| {
        GraphBuilder::default()
            .integers("shape", shape)
            .integers("flat", &[0, -1])
            .node("Reshape", &["input", "shape"], "q", &[])
            .node("Transpose", &["q"], "k", &[("perm", order)])
            .node("MatMul", &["q", "k"], "s", &[])
            .node("Softmax", &["s"], "a", &[])
            .node("MatMul", &["a", "q"], "m", &[])
            .node("Reshape", &["m", "flat"], "output", &[])
            .prove()
    };
    attention(&[0, 4, 12], &[0, 2, 1]).unwrap();
    assert!(attention(&[4, -1, 12], &[0, 2, 1]).is_err());
    assert!(attention(&[0, 48], &[1, 0]).is_err());
}

/// The graph is the identity for one row, but mixes two rows.
#[test]
fn a_reshape_that_merges_rows_is_rejected() {
    let shuffled = GraphBuilder::default()
        .integers("four", &[4, -1])
        .node("Reshape", &["input", "four"], "r", &[])
        .node("Transpose", &["r"], "output", &[("perm", &[1, 0])])
        .prove();
    assert!(shuffled.unwrap_err().contains("parts of several input rows"));
}

/// `quantize_dynamic` writes one scale for the whole batch.
#[test]
fn a_scale_computed_over_the_batch_is_rejected() {
    let quantised = flattened_input()
        .node("DynamicQuantizeLinear", &["flat"], "q", &[])
        .node("MatMulInteger", &["q", "w"], "output", &[])
        .prove();
    let why = quantised.unwrap_err();
    assert!(why.contains("DynamicQuantizeLinear"), "{why}");
}

/// An operator, its inputs and its attributes.
type NodeCase<'a> = (&'a str, &'a [&'a str], &'a [(&'a str, &'a [i64])]);

#[test]
fn operators_that_combine_rows_are_rejected() {
    let cases: [NodeCase; 16] = [
        ("ReduceMean", &["flat"], &[("axes", &[0])]),
        ("ReduceMax", &["flat"], &[]),
        ("Softmax", &["flat"], &[("axis", &[0])]),
        ("LogSoftmax", &["flat"], &[("axis", &[-2])]),
        ("ArgMax", &["flat"], &[]),
        ("Transpose", &["flat"], &[]),
        ("Concat", &["flat", "flat"], &[("axis", &[0])]),
        ("Flatten", &["input"], &[("axis", &[0])]),
        ("Flatten", &["input"], &[("axis", &[2])]),
        ("Gemm", &["flat", "w"], &[("transA", &[1])]),
        ("MatMul", &["w", "flat"], &[]),
        ("MatMul", &["flat", "flat"], &[]),
        ("Squeeze", &["flat"], &[]),
        ("NoSuchOperator", &["flat"], &[]),
        ("LayerNormalization", &["flat", "b"], &[("axis", &[0])]),
        ("InstanceNormalization", &["flat", "flat", "b"], &[]),
    ];
    for (operator, inputs, attributes) in cases {
        let proof = prove_single_node(operator, inputs, attributes);
        assert!(proof.is_err(), "{operator} {inputs:?} {attributes:?}");
    }
}

#[test]
fn a_constant_with_one_entry_per_row_is_rejected() {
    let add = |dims: &[i64]| {
        flattened_input()
            .weights("c", dims)
            .node("Add", &["flat", "c"], "output", &[])
            .prove()
    };
    for dims in [&[][..], &[48], &[1, 48], &[1, 1]] {
        add(dims).unwrap();
    }
    for dims in [&[2, 48][..], &[2, 1], &[1, 1, 48], &[3, 1, 48]] {
        assert!(add(dims).is_err(), "{dims:?}");
    }
}

#[test]
fn padding_and_slicing_the_batch_axis_are_rejected() {
    let node = |operator: &str, lists: &[(&str, &[i64])]| {
        let mut builder = GraphBuilder::default();
        let mut inputs = vec!["input"];
        for (name, values) in lists {
            builder = builder.integers(name, values);
            inputs.push(name);
        }
        builder
            .node(operator, &inputs, "moved", &[])
            .node("Flatten", &["moved"], "output", &[])
            .prove()
    };
    node("Pad", &[("pads", &[0, 0, 1, 1, 0, 0, 1, 1])]).unwrap();
    assert!(node("Pad", &[("pads", &[1, 0, 0, 0, 0, 0, 0, 0])]).is_err());
    assert!(node("Pad", &[("pads", &[0, 0, 0, 0, 1, 0, 0, 0])]).is_err());
    node("Slice", &[("s", &[1]), ("e", &[3]), ("a", &[2])]).unwrap();
    node("Slice", &[("s", &[0]), ("e", &[i64::MAX]), ("a", &[0])]).unwrap();
    assert!(node("Slice", &[("s", &[1]), ("e", &[i64::MAX]), ("a", &[0])]).is_err());
    assert!(node("Slice", &[("s", &[0]), ("e", &[2]), ("a", &[-4])]).is_err());
    assert!(node("Slice", &[("s", &[-1]), ("e", &[i64::MIN]), ("a", &[0]), ("t", &[-1])]).is_err());
    assert!(node("Gather", &[("i", &[0])]).is_err());
    node("Tile", &[("t", &[1, 2, 1, 1])]).unwrap();
    assert!(node("Tile", &[("t", &[2, 1, 1, 1])]).is_err());
}

#[test]
fn redefined_and_foreign_operators_are_rejected() {
    let mut model = flattened_input().node("Gemm", &["flat", "w"], "output", &[]).model();
    model.functions.push(FunctionProto::default());
    assert!(prove_row_independence(&model, "input", &[3, 4, 4], "output").is_err());
    model.functions.clear();
    prove_row_independence(&model, "input", &[3, 4, 4], "output").unwrap();
    model.graph.as_mut().unwrap().nodes[1].domain = b"com.microsoft".to_vec();
    assert!(prove_row_independence(&model, "input", &[3, 4, 4], "output").is_err());
}

#[test]
fn nodes_that_the_output_does_not_need_are_ignored() {
    let builder =
        flattened_input()
            .node("Transpose", &["flat"], "elsewhere", &[])
            .node("Gemm", &["flat", "w"], "output", &[]);
    builder.prove().unwrap();
    assert!(
        prove_single_node("Relu", &["w"], &[])
            .unwrap_err()
            .contains("does not depend")
    );
}
