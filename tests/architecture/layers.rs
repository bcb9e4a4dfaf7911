//! Dependencies between top-level modules point to lower layers.

use crate::imports::FileGraph;
use crate::sources;

/// Each module with its layer. A module may use lower layers and itself.
const LAYERS: &[(&str, u8)] = &[
    ("fuzzing", 8),
    ("cli", 7),
    ("app", 7),
    ("shutdown", 7),
    ("telemetry", 6),
    ("rpc", 5),
    ("live", 5),
    ("evaluation", 5),
    ("classifier", 4),
    ("scheduler", 3),
    ("onnx", 2),
    ("settings", 1),
    ("call", 1),
    ("domain", 0),
    ("certificate", 0),
];
/// Dependencies within a layer that are intended, from the first module to the second.
const SIDEWAYS: &[(&str, &str)] = &[
    ("cli", "app"),
    ("cli", "shutdown"),
    ("rpc", "live"),
    ("domain", "certificate"),
];

/// Returns the top-level module of a path relative to `src/`.
fn module(path: &str) -> &str {
    path.split(['/', '.']).next().unwrap()
}

fn layer(module: &str) -> Option<u8> {
    LAYERS.iter().find(|(name, _)| *name == module).map(|(_, layer)| *layer)
}

/// Returns whether the module `from` may use the module `to`. Files outside every layer, such as
/// `lib.rs`, may.
fn may_use(from: &str, to: &str) -> bool {
    let (Some(own), Some(other)) = (layer(from), layer(to)) else {
        return true;
    };
    from == to || other < own || SIDEWAYS.contains(&(from, to))
}

/// Checks the text, so that the paths in test modules are covered too.
#[test]
fn paths_in_the_text_point_to_lower_layers() {
    let mut wrong = Vec::new();
    for (path, text) in sources::read_crate_without_comments() {
        let from = module(&path);
        for (to, _) in LAYERS {
            let uses = text.contains(&format!("crate::{to}::")) || text.contains(&format!("crate::{to};"));
            if uses && !may_use(from, to) {
                wrong.push(format!("{path} uses crate::{to}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Checks the resolved paths, so that `super::super::module` and grouped imports are covered too.
#[test]
fn resolved_imports_point_to_lower_layers() {
    let graph = FileGraph::build(&sources::read("src"), "src/lib.rs");
    let wrong: Vec<String> = graph
        .edges()
        .filter(|(from, to, _)| {
            let (from, to) = (from.trim_start_matches("src/"), to.trim_start_matches("src/"));
            !may_use(module(from), module(to))
        })
        .map(|(from, to, names)| format!("{from} uses {to}: {names:?}"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
