//! The real binary checks all settings and reports every violation with its key.

use std::path::Path;

use crate::support::Setup;
use crate::support::process::{fails, run};

fn check(settings: &Path, variables: &[(&str, &str)]) -> serde_json::Value {
    let output = run(&["check-config", "--json", settings.to_str().unwrap()], variables);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn value(shown: &serde_json::Value, key: &str) -> serde_json::Value {
    shown["settings"][key]["value"].clone()
}

#[track_caller]
fn assert_all_in(message: &str, expected: &[&str]) {
    for text in expected {
        assert!(message.contains(text), "no \"{text}\" in {message}");
    }
}

fn invalid_setup() -> Setup {
    Setup::pair("linear_g", "linear_h")
        .with("mixture.alpha", 1.5)
        .with("mixture.alhpa", 0.5)
        .text("server.listen", "here")
        .text("server.drain_timeout", "soon")
        .with("server.max_inputs", 0)
        .text("certificate.bound", "wilson")
        .with("certificate.predict_votes", 1_000_000)
        .with("surprise", 1)
        .text("log.format", "xml")
        .without("models.robust")
}

const ALL_VIOLATIONS: [&str; 12] = [
    "mixture.alpha: expected a number from 0 to 1",
    "1.5",
    "mixture.alhpa: unknown key",
    "did you mean mixture.alpha?",
    "server.listen: expected an address",
    "server.drain_timeout: expected a duration",
    "server.max_inputs: expected a whole number from 1",
    "certificate.bound: expected \"anytime\" or \"clopper_pearson\"",
    "certificate.predict_votes: is over certificate.max_votes",
    "surprise: unknown key",
    "log.format: expected \"human\" or \"json\"",
    "models.robust: is required",
];

#[test]
fn every_violation_is_reported_at_once() {
    let setup = invalid_setup();
    let settings = setup.write();
    for command in ["check-config", "serve"] {
        assert_all_in(&fails(&[command, settings.to_str().unwrap()], &[]), &ALL_VIOLATIONS);
    }
}

#[test]
fn an_invalid_or_missing_file_is_reported() {
    let setup = Setup::pair("linear_g", "linear_h");
    let broken = setup.file("broken.toml", b"mixture = [alpha");
    assert_all_in(
        &fails(&["check-config", broken.to_str().unwrap()], &[]),
        &["broken.toml", "line 1"],
    );
    let missing = setup.folder().join("missing.toml");
    assert_all_in(
        &fails(&["serve", missing.to_str().unwrap()], &[]),
        &["missing.toml", "No such file"],
    );
}

#[test]
fn check_config_shows_all_settings_in_force() {
    let setup = Setup::pair("linear_g", "linear_h").with("mixture.alpha", 0.8);
    let shown = check(&setup.write(), &[]);
    assert_eq!(value(&shown, "mixture.alpha"), 0.8);
    assert_eq!(value(&shown, "certificate.selection_votes"), 16);
    let table = run(&["check-config", setup.write().to_str().unwrap()], &[]);
    assert!(table.status.success());
    let (out, advice) = (
        String::from_utf8(table.stdout).unwrap(),
        String::from_utf8(table.stderr).unwrap(),
    );
    assert!(
        out.lines()
            .any(|line| line.contains("mixture.alpha") && line.contains("0.8")),
        "{out}"
    );
    assert_all_in(&advice, &["is valid", "linear_g", "linear_h", "lipschitz_logits"]);
}

#[test]
fn environment_variables_override_the_file() {
    let setup = Setup::pair("linear_g", "linear_h").with("mixture.alpha", 0.8);
    let settings = setup.write();
    let variables = [
        ("CERTIMIX__MIXTURE__ALPHA", "0.9"),
        ("CERTIMIX__SERVER__MAX_REQUEST_TIME", "250ms"),
        ("CERTIMIX__CERTIFICATE__ALLOW_INEXACT_RUNTIME", "true"),
        ("CERTIMIX__SCHEDULER__QUEUE_ROWS", "999"),
    ];
    let shown = check(&settings, &variables);
    assert_eq!(value(&shown, "mixture.alpha"), 0.9);
    assert_eq!(value(&shown, "server.max_request_time"), "250ms");
    assert_eq!(value(&shown, "certificate.allow_inexact_runtime"), true);
    assert_eq!(value(&shown, "scheduler.queue_rows"), 999);
}

#[test]
fn environment_variables_are_checked_like_the_file() {
    let setup = Setup::pair("linear_g", "linear_h");
    let settings = setup.write();
    let variables = [("CERTIMIX__MIXTURE__ALPHA", "2"), ("CERTIMIX__MIXTURE__BETA", "0.5")];
    let message = fails(&["check-config", settings.to_str().unwrap()], &variables);
    assert_all_in(&message, &["mixture.alpha", "environment", "mixture.beta: unknown key"]);
}

#[test]
fn every_mismatch_between_the_models_is_reported_at_once() {
    let edits = [
        ("\"middle\", ", ""),
        ("range = [-1.0, 1.0]", "range = [0.0, 1.0]"),
        ("shape = [4]", "shape = [5]"),
    ];
    let setup = Setup::pair("linear_g", "linear_h").edited("models.robust", "linear_h", &edits);
    let message = fails(&["check-config", setup.write().to_str().unwrap()], &[]);
    assert_all_in(
        &message,
        &["do not fit together", "input.shape", "input.range", "labels", "middle"],
    );
}

#[test]
fn every_violation_of_a_manifest_is_reported_at_once() {
    let edits = [
        ("manifest_version = 1", "manifest_version = 2"),
        ("sha256 = \"", "sha256 = \"xyz"),
        ("[\"left\", \"middle\", \"right\"]", "[\"left\"]"),
        ("dtype = \"float32\"", "dtype = \"int8\""),
        ("shape = [4]", "shape = []\n"),
        ("range = [-1.0, 1.0]", "range = [1.0, -1.0]"),
        ("constant = 4.0", "constant = -4.0"),
        ("norm = \"l2\"", "norm = \"linf\""),
    ];
    let setup = Setup::pair("linear_g", "linear_h").edited("models.robust", "linear_h", &edits);
    let message = fails(&["check-config", setup.write().to_str().unwrap()], &[]);
    let keys = [
        "manifest_version",
        "sha256",
        "labels",
        "input.dtype",
        "input.range",
        "guarantee.constant",
        "guarantee.norm",
    ];
    assert_all_in(&message, &keys);
    let unknown = [("[guarantee]", "[guarantee]\nproven_by = \"me\"")];
    let setup = Setup::pair("linear_g", "linear_h").edited("models.robust", "linear_h", &unknown);
    assert_all_in(
        &fails(&["check-config", setup.write().to_str().unwrap()], &[]),
        &["linear_h.toml", "proven_by"],
    );
}
