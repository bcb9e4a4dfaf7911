//! The house rules that a compiler does not know: arrows point down, and files stay readable.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

/// Modules with their layer; a module may use those of lower layers, and of its own module.
const LAYERS: &[(&str, u8)] = &[
    ("cli", 6),
    ("app", 6),
    ("shutdown", 6),
    ("rpc", 5),
    ("live", 5),
    ("classifier", 4),
    ("scheduler", 3),
    ("onnx", 2),
    ("settings", 1),
    ("telemetry", 1),
    ("domain", 0),
    ("certificate", 0),
];
/// Arrows within a layer that are meant.
const SIDEWAYS: &[(&str, &str)] = &[
    ("cli", "app"),
    ("cli", "shutdown"),
    ("rpc", "live"),
    ("telemetry", "settings"),
];
/// Crates that one place alone may use.
const SOLE_USERS: &[(&str, &[&str])] = &[
    ("ort", &["onnx"]),
    ("tonic", &["rpc", "cli/client", "app"]),
    (
        "tokio",
        &[
            "rpc",
            "live",
            "app",
            "shutdown",
            "scheduler",
            "classifier",
            "cli",
            "telemetry/metrics/endpoint",
            "telemetry/traces",
            "telemetry/export",
        ],
    ),
    ("opentelemetry", &["telemetry"]),
    ("opentelemetry_sdk", &["telemetry"]),
    ("opentelemetry_otlp", &["telemetry"]),
    ("prometheus", &["telemetry/metrics"]),
    ("hyper", &["telemetry/metrics", "rpc/connections"]),
    ("tokio_rustls", &["rpc/access", "rpc/connections"]),
    ("procfs", &["telemetry/metrics/process"]),
    (
        "std::time",
        // The domain's timings are moments that others have read: no clock.
        &[
            "rpc",
            "live",
            "app",
            "scheduler",
            "classifier",
            "settings",
            "cli",
            "telemetry",
            "domain/request_timings",
        ],
    ),
    ("getrandom", &["cli/serve"]),
];
const MOST_LINES: usize = 500;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Each file under `src/` with its path there and its text without comments.
fn house() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    assert!(paths.len() > 50, "the sources were not found");
    let code = |text: String| {
        text.lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (
                path.strip_prefix(&root).unwrap().to_string_lossy().into_owned(),
                code(text),
            )
        })
        .collect()
}

/// Whether `text` names something in the crate `name`.
fn mentions(text: &str, name: &str) -> bool {
    let path = format!("{name}::");
    text.match_indices(&path).any(|(start, _)| {
        let before = text[..start].chars().next_back();
        !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_' || letter == ':')
    })
}

fn module(path: &str) -> &str {
    path.split(['/', '.']).next().unwrap()
}

fn layer(module: &str) -> Option<u8> {
    LAYERS.iter().find(|(name, _)| *name == module).map(|(_, layer)| *layer)
}

#[test]
fn arrows_point_down() {
    let mut wrong = Vec::new();
    for (path, text) in house() {
        let from = module(&path);
        let Some(own) = layer(from) else { continue };
        for (to, other) in LAYERS {
            let uses = text.contains(&format!("crate::{to}::")) || text.contains(&format!("crate::{to};"));
            let meant = *to == from || *other < own || SIDEWAYS.contains(&(from, to));
            let plain_types = (own, *other) == (0, 0) && from == "domain";
            if uses && !meant && !plain_types {
                wrong.push(format!("{path} uses crate::{to}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn some_crates_have_one_user() {
    let mut wrong = Vec::new();
    for (path, text) in house() {
        for (name, users) in SOLE_USERS {
            let tests = path.contains("tests");
            if !tests && mentions(&text, name) && !users.iter().any(|user| path.starts_with(user)) {
                wrong.push(format!("{path} uses {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_stay_readable() {
    let long: Vec<_> = house()
        .into_iter()
        .filter(|(_, text)| text.lines().count() > MOST_LINES)
        .map(|(path, _)| path)
        .collect();
    assert!(long.is_empty(), "over {MOST_LINES} lines: {long:?}");
}

/// `f64::min`, `max` and `clamp` pass over NaN, so an overflow ahead of them ends as a number. `certificate/numerics/nan_safe.rs` has
/// what the mathematics of a radius uses instead; the noise's integers are a room of their own, and tests may do as they like.
#[test]
fn no_radius_goes_through_a_minimum_that_drops_nan() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/certificate");
    let mut files = Vec::new();
    sources(&folder, &mut files);
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for file in files {
        let below = file.strip_prefix(&folder).unwrap();
        if below.starts_with("tests") || below.starts_with("noise") {
            continue;
        }
        looked_at += 1;
        for (number, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for call in [".min(", ".max(", ".clamp(", "::min", "::max", "::clamp"] {
                if code.contains(call) {
                    wrong.push(format!("{}:{}: {}", below.display(), number + 1, line.trim()));
                }
            }
        }
    }
    assert!(looked_at > 20, "the folder has moved");
    assert!(wrong.is_empty(), "use certificate/numerics/nan_safe.rs: {wrong:#?}");
}
