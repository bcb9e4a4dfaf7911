//! Graphs that draw random numbers or train.

use super::super::check_deterministic;
use super::super::protobuf::{AttributeProto, FunctionProto, ModelProto};
use super::graph_builder::flattened_input;

#[test]
fn random_numbers_and_training_are_rejected_in_every_graph() {
    let rejected = |model: &ModelProto| check_deterministic(model).is_err();
    for operator in ["RandomNormalLike", "RandomUniform", "Bernoulli", "Multinomial"] {
        // The output does not depend on the node.
        let model = flattened_input().node(operator, &["flat"], "noise", &[]).model();
        assert!(rejected(&model), "{operator}");
    }
    let dropout = |mode: Option<i64>| {
        let inputs = match mode {
            Some(_) => &["flat", "", "mode"][..],
            None => &["flat"],
        };
        let mut builder = flattened_input();
        if let Some(mode) = mode {
            builder = builder.integers("mode", &[mode]);
        }
        builder.node("Dropout", inputs, "output", &[]).model()
    };
    assert!(!rejected(&dropout(None)) && !rejected(&dropout(Some(0))) && rejected(&dropout(Some(1))));
    let batch_norm = |mode| {
        flattened_input()
            .node("BatchNormalization", &["flat"], "n", &[("training_mode", &[mode])])
            .model()
    };
    assert!(!rejected(&batch_norm(0)) && rejected(&batch_norm(1)));
    // The mode is unknown, in the branch of an If.
    let branch = flattened_input()
        .node("Dropout", &["flat", "", "unknown"], "d", &[])
        .graph;
    let mut model = flattened_input().node("If", &["flat"], "output", &[]).model();
    assert!(!rejected(&model));
    model.graph.as_mut().unwrap().nodes[1].attributes.push(AttributeProto {
        graph: Some(Box::new(branch)),
        ..AttributeProto::default()
    });
    assert!(rejected(&model));
    let random = flattened_input().node("RandomNormal", &[], "r", &[]).graph.nodes;
    let model = ModelProto {
        functions: vec![FunctionProto {
            nodes: random,
            ..FunctionProto::default()
        }],
        ..flattened_input().model()
    };
    assert!(rejected(&model));
}
