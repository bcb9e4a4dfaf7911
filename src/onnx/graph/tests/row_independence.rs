//! Graphs that are row by row, and graphs that only look so.

use super::wire::{Attribute, Function, Graph, INT64, Model, Node, Opset, Tensor};
use super::{check_deterministic, prove_row_independence};
use proptest::prelude::*;

/// A graph from "input", of rows of `[3, 4, 4]`, to "output".
#[derive(Default)]
struct Builder {
    graph: Graph,
}

impl Builder {
    fn weights(mut self, name: &str, dims: &[i64]) -> Self {
        self.graph.initializers.push(Tensor {
            name: name.into(),
            dims: dims.to_vec(),
            data_type: 1,
            ..Tensor::default()
        });
        self
    }

    fn integers(mut self, name: &str, values: &[i64]) -> Self {
        self.graph.initializers.push(Tensor {
            name: name.into(),
            dims: vec![i64::try_from(values.len()).unwrap()],
            data_type: INT64,
            raw: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect::<Vec<_>>()
                .into(),
            ..Tensor::default()
        });
        self
    }

    fn node(mut self, operator: &str, inputs: &[&str], output: &str, attributes: &[(&str, &[i64])]) -> Self {
        let attributes = attributes.iter().map(|(name, ints)| Attribute {
            name: (*name).into(),
            int: ints[0],
            ints: ints.to_vec(),
            ..Attribute::default()
        });
        self.graph.nodes.push(Node {
            operator: operator.into(),
            inputs: inputs.iter().map(|&input| input.into()).collect(),
            outputs: vec![output.into()],
            attributes: attributes.collect(),
            ..Node::default()
        });
        self
    }

    fn model(self) -> Model {
        Model {
            graph: Some(self.graph),
            opsets: vec![Opset {
                domain: Vec::new(),
                version: 17,
            }],
            functions: Vec::new(),
        }
    }

    fn proven(self) -> Result<(), String> {
        prove_row_independence(&self.model(), "input", &[3, 4, 4], "output")
    }
}

fn flat() -> Builder {
    Builder::default()
        .node("Flatten", &["input"], "flat", &[])
        .weights("w", &[48, 10])
        .weights("b", &[10])
}

/// Whether one node between the flattened input and the output keeps the rows apart; the output of the node is "output".
fn of_flat(operator: &str, inputs: &[&str], attributes: &[(&str, &[i64])]) -> Result<(), String> {
    flat().node(operator, inputs, "output", attributes).proven()
}

#[test]
fn ordinary_networks_are_proven() {
    of_flat("Gemm", &["flat", "w", "b"], &[]).unwrap();
    of_flat("MatMul", &["flat", "w"], &[]).unwrap();
    of_flat("Softmax", &["flat"], &[("axis", &[-1])]).unwrap();
    Builder::default()
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
        .proven()
        .unwrap();
}

/// `x.view(x.size(0), -1)`, as exporters write it.
#[test]
fn a_shape_that_is_computed_from_the_number_of_rows_is_followed() {
    let shape = |first: i64| {
        Builder::default()
            .integers("first", &[first])
            .integers("rest", &[-1])
            .integers("axes", &[0])
            .integers("shape1", &[1])
            .node("Shape", &["input"], "sizes", &[])
            .node("Gather", &["sizes", "first"], "rows", &[])
            .node("Concat", &["rows", "rest"], "shape", &[("axis", &[0])])
            .node("Reshape", &["input", "shape"], "output", &[])
            .proven()
    };
    shape(0).unwrap();
    // The number of channels in place of the number of rows.
    assert!(shape(1).unwrap_err().contains("need not be a row"), "{:?}", shape(1));
}

#[test]
fn attention_within_a_row_is_proven_and_attention_among_rows_is_not() {
    let attention = |shape: &[i64], order: &[i64]| {
        Builder::default()
            .integers("shape", shape)
            .integers("flat", &[0, -1])
            .node("Reshape", &["input", "shape"], "q", &[])
            .node("Transpose", &["q"], "k", &[("perm", order)])
            .node("MatMul", &["q", "k"], "s", &[])
            .node("Softmax", &["s"], "a", &[])
            .node("MatMul", &["a", "q"], "m", &[])
            .node("Reshape", &["m", "flat"], "output", &[])
            .proven()
    };
    attention(&[0, 4, 12], &[0, 2, 1]).unwrap();
    assert!(attention(&[4, -1, 12], &[0, 2, 1]).is_err());
    assert!(attention(&[0, 48], &[1, 0]).is_err());
}

/// The identity for one row; two rows are mixed.
#[test]
fn rows_that_are_laid_end_to_end_are_found() {
    let shuffled = Builder::default()
        .integers("four", &[4, -1])
        .node("Reshape", &["input", "four"], "r", &[])
        .node("Transpose", &["r"], "output", &[("perm", &[1, 0])])
        .proven();
    assert!(shuffled.unwrap_err().contains("need not be a row"));
}

/// One number for the whole batch, as `quantize_dynamic` writes it.
#[test]
fn a_scale_over_the_batch_is_found() {
    let quantised = flat()
        .node("DynamicQuantizeLinear", &["flat"], "q", &[])
        .node("MatMulInteger", &["q", "w"], "output", &[])
        .proven();
    let why = quantised.unwrap_err();
    assert!(why.contains("DynamicQuantizeLinear"), "{why}");
}

/// An operator, its inputs, its attributes.
type Case<'a> = (&'a str, &'a [&'a str], &'a [(&'a str, &'a [i64])]);

#[test]
fn whatever_meets_other_rows_is_found() {
    let cases: [Case; 16] = [
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
        let found = of_flat(operator, inputs, attributes);
        assert!(found.is_err(), "{operator} {inputs:?} {attributes:?}");
    }
}

#[test]
fn a_constant_for_each_row_is_found() {
    let add = |dims: &[i64]| {
        flat()
            .weights("c", dims)
            .node("Add", &["flat", "c"], "output", &[])
            .proven()
    };
    for dims in [&[][..], &[48], &[1, 48], &[1, 1]] {
        add(dims).unwrap();
    }
    for dims in [&[2, 48][..], &[2, 1], &[1, 1, 48], &[3, 1, 48]] {
        assert!(add(dims).is_err(), "{dims:?}");
    }
}

#[test]
fn padding_and_slicing_leave_the_batch_alone() {
    let node = |operator: &str, lists: &[(&str, &[i64])]| {
        let mut builder = Builder::default();
        let mut inputs = vec!["input"];
        for (name, values) in lists {
            builder = builder.integers(name, values);
            inputs.push(name);
        }
        builder
            .node(operator, &inputs, "moved", &[])
            .node("Flatten", &["moved"], "output", &[])
            .proven()
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
fn an_operator_under_another_name_is_not_known() {
    let mut model = flat().node("Gemm", &["flat", "w"], "output", &[]).model();
    model.functions.push(Function::default());
    assert!(prove_row_independence(&model, "input", &[3, 4, 4], "output").is_err());
    model.functions.clear();
    prove_row_independence(&model, "input", &[3, 4, 4], "output").unwrap();
    model.graph.as_mut().unwrap().nodes[1].domain = b"com.microsoft".to_vec();
    assert!(prove_row_independence(&model, "input", &[3, 4, 4], "output").is_err());
}

#[test]
fn other_outputs_and_dead_ends_do_not_matter() {
    let builder = flat()
        .node("Transpose", &["flat"], "elsewhere", &[])
        .node("Gemm", &["flat", "w"], "output", &[]);
    builder.proven().unwrap();
    assert!(of_flat("Relu", &["w"], &[]).unwrap_err().contains("does not depend"));
}

#[test]
fn random_numbers_and_training_are_refused_wherever_they_are() {
    let refused = |model: &Model| check_deterministic(model).is_err();
    for operator in ["RandomNormalLike", "RandomUniform", "Bernoulli", "Multinomial"] {
        // Though the output does not need it.
        let model = flat().node(operator, &["flat"], "noise", &[]).model();
        assert!(refused(&model), "{operator}");
    }
    let trained = |mode: Option<i64>| {
        let node = match mode {
            Some(_) => &["flat", "", "mode"][..],
            None => &["flat"],
        };
        let mut builder = flat();
        if let Some(mode) = mode {
            builder = builder.integers("mode", &[mode]);
        }
        builder.node("Dropout", node, "output", &[]).model()
    };
    assert!(!refused(&trained(None)) && !refused(&trained(Some(0))) && refused(&trained(Some(1))));
    let normalised = |mode| {
        flat()
            .node("BatchNormalization", &["flat"], "n", &[("training_mode", &[mode])])
            .model()
    };
    assert!(!refused(&normalised(0)) && refused(&normalised(1)));
    // A mode that nobody knows, in the branch of an If.
    let branch = flat().node("Dropout", &["flat", "", "unknown"], "d", &[]).graph;
    let mut model = flat().node("If", &["flat"], "output", &[]).model();
    assert!(!refused(&model));
    model.graph.as_mut().unwrap().nodes[1].attributes.push(Attribute {
        graph: Some(Box::new(branch)),
        ..Attribute::default()
    });
    assert!(refused(&model));
    let random = flat().node("RandomNormal", &[], "r", &[]).graph.nodes;
    let model = Model {
        functions: vec![Function {
            nodes: random,
            ..Function::default()
        }],
        ..flat().model()
    };
    assert!(refused(&model));
}

/// What is bundled must not fall back to single rows, nor what other tests measure.
#[test]
fn the_models_of_this_repository_are_read_through() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut read = 0;
    for folder in ["models/cifar10", "tests/fixtures"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "toml") {
                continue;
            }
            let manifest = crate::onnx::Manifest::read(&path).unwrap();
            let bytes = std::fs::read(&manifest.file).unwrap();
            let Ok(model) = super::check_one_file(bytes.into()) else {
                continue;
            };
            let input = &manifest.input;
            let proven = prove_row_independence(&model, &input.name, &input.shape, &manifest.output_name);
            // Each is in the fixtures because it mixes rows, answers at random, or has another input.
            let mixes = [
                "batch_mates_h",
                "batch_softmax_h",
                "quantised_g",
                "quantised_h",
                "random_g",
                "reshaped_h",
                "turned_h",
                "two_inputs",
            ];
            assert_eq!(
                proven.is_err(),
                mixes.contains(&manifest.name.as_str()),
                "{}: {proven:?}",
                manifest.name
            );
            assert_eq!(
                check_deterministic(&model).is_err(),
                ["dropout_h", "random_g"].contains(&manifest.name.as_str())
            );
            read += 1;
        }
    }
    assert!(read > 20, "{read}");
}

proptest! {
    /// Whatever a file says, reading it is no more than an answer.
    #[test]
    fn no_graph_panics(
        nodes in prop::collection::vec((0..OPERATORS.len(), prop::collection::vec(0..9usize, 0..4), attributes()), 1..6),
        dims in prop::collection::vec(prop_oneof![-2..20i64, any::<i64>()], 0..5),
        integers in prop::collection::vec(prop_oneof![-3..5i64, any::<i64>()], 0..8),
    ) {
        let names = ["input", "w", "i", "", "n0", "n1", "n2", "n3", "n4"];
        let mut builder = Builder::default().weights("w", &dims).integers("i", &integers);
        for (index, (operator, inputs, given)) in nodes.iter().enumerate() {
            let inputs: Vec<&str> = inputs.iter().map(|&input| names[input]).collect();
            let given: Vec<(&str, &[i64])> = given.iter().map(|(name, ints)| (ATTRIBUTES[*name], ints.as_slice())).collect();
            builder = builder.node(OPERATORS[*operator], &inputs, &format!("n{index}"), &given);
        }
        let model = builder.node("Identity", &[&format!("n{}", nodes.len() - 1)], "output", &[]).model();
        let _ = (check_deterministic(&model).is_ok(), prove_row_independence(&model, "input", &[3, 4, 4], "output").is_ok());
    }
}

const OPERATORS: [&str; 33] = [
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

const ATTRIBUTES: [&str; 14] = [
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

fn attributes() -> impl Strategy<Value = Vec<(usize, Vec<i64>)>> {
    let ints = prop::collection::vec(prop_oneof![-4..5i64, any::<i64>()], 1..5);
    prop::collection::vec((0..ATTRIBUTES.len(), ints), 0..3)
}
