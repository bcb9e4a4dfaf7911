//! `docs/reference/settings.md` is rendered from the descriptions of the settings reader.

use std::fmt::Write as _;

use certimix::settings::{KeyDescription, KeyScope, PROJECT_KEY, Reloadability, described_keys};

use crate::assert_rendered;

const PATH: &str = "docs/reference/settings.md";
/// The text above the tables.
const HEAD: &str = include_str!("settings_head.md.in");

/// What each table is for, in the order of the document.
const TABLES: [(&str, &str); 11] = [
    (
        "server",
        "The listeners, the limits of requests and connections, and the drain. See [security.md](../guides/security.md) and [operations.md](../guides/operations.md).",
    ),
    (
        "tls",
        "TLS for `server.listen`. See [security.md](../guides/security.md).",
    ),
    ("models", "The two models."),
    (
        "mixture",
        "The weights of the two models. See [tuning-alpha.md](../guides/tuning-alpha.md).",
    ),
    (
        "certificate",
        "How votes become certificates. See [served-certificates.md](served-certificates.md).",
    ),
    ("runtime", "ONNX Runtime, the threads that run models, and the batches."),
    ("scheduler", "The queues of rows in front of the models."),
    (
        "open_inference",
        "The second protocol. See [open-inference.md](../guides/open-inference.md).",
    ),
    ("log", "The log. See [tracing-and-logs.md](tracing-and-logs.md)."),
    (
        "metrics",
        "The HTTP endpoint for metrics and health. See [metrics.md](metrics.md).",
    ),
    ("traces", "Spans. See [tracing-and-logs.md](tracing-and-logs.md)."),
];

fn table_of(key: &KeyDescription) -> &'static str {
    key.name.split('.').next().unwrap()
}

/// A cell of a Markdown table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn row(key: &KeyDescription) -> String {
    let default = match &key.default {
        None => "**required**".to_owned(),
        Some(default) if default.contains(PROJECT_KEY) => "the project's key".to_owned(),
        Some(default) => default.clone(),
    };
    let reload = match key.reload {
        Reloadability::Live => "yes",
        Reloadability::RestartOnly => "restart",
    };
    let answers = match key.scope {
        KeyScope::Answers => "yes",
        KeyScope::Operation => "no",
    };
    let cells = [
        format!("`{}`", key.name),
        key.value_type.to_owned(),
        cell(&key.accepted),
        cell(&default),
        reload.to_owned(),
        answers.to_owned(),
        cell(key.help),
    ];
    format!("| {} |", cells.join(" | "))
}

fn render(keys: &[KeyDescription]) -> String {
    let mut text = HEAD.to_owned();
    for (table, purpose) in TABLES {
        write!(text, "\n## `[{table}]`\n\n{purpose}\n\n").unwrap();
        text.push_str(
            "| key | type | accepted values | default | reload | answers | meaning |\n|---|---|---|---|---|---|---|\n",
        );
        for key in keys.iter().filter(|key| table_of(key) == table) {
            text.push_str(&row(key));
            text.push('\n');
        }
    }
    text
}

#[test]
fn the_settings_reference_is_current() {
    assert_rendered(PATH, &render(&described_keys()));
}

#[test]
fn every_key_is_in_a_documented_table() {
    for key in described_keys() {
        assert!(TABLES.iter().any(|(table, _)| *table == table_of(&key)), "{}", key.name);
    }
}
