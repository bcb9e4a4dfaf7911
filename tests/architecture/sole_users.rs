//! Some external crates have one user, so that the rest of the crate does not depend on their
//! types.

use crate::sources;

/// Each crate with the paths under `src/` that may use it.
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
            "telemetry/span_queue",
        ],
    ),
    ("opentelemetry", &["telemetry", "call/trace_context"]),
    ("opentelemetry_sdk", &["telemetry", "call/trace_context"]),
    ("opentelemetry_otlp", &["telemetry"]),
    ("prometheus", &["telemetry/metrics"]),
    ("hyper", &["telemetry/metrics", "rpc/connections"]),
    ("tokio_rustls", &["rpc/access", "rpc/connections"]),
    ("procfs", &["telemetry/metrics/process"]),
    (
        "std::time",
        // `domain/request_timings` and `domain/log_throttle` store instants that other modules measured.
        // They read no clock.
        // `onnx/runtime_log` limits the lines of the log. No result depends on its clock.
        &[
            "rpc",
            "live",
            "app",
            "scheduler",
            "classifier",
            "settings",
            "cli",
            "telemetry",
            "call",
            // The time of a part of a run.
            "evaluation/run",
            "domain/log_throttle",
            "domain/request_timings",
            "evaluation",
            "onnx/runtime_log",
        ],
    ),
    ("getrandom", &["cli/serve", "cli/evaluate"]),
    ("sd_notify", &["cli/service_manager"]),
];

/// Returns whether `text` contains a path that starts with the crate `name`.
fn mentions(text: &str, name: &str) -> bool {
    let path = format!("{name}::");
    text.match_indices(&path).any(|(start, _)| {
        let before = text[..start].chars().next_back();
        !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_' || letter == ':')
    })
}

#[test]
fn restricted_crates_are_used_only_where_they_are_allowed() {
    let mut wrong = Vec::new();
    for (path, text) in sources::read_crate_without_comments() {
        for (name, users) in SOLE_USERS {
            // The fuzz targets are tests too.
            let is_test = path.contains("tests") || path.contains("fuzzing");
            if !is_test && mentions(&text, name) && !users.iter().any(|user| path.starts_with(user)) {
                wrong.push(format!("{path} uses {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
