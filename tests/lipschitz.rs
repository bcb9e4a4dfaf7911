//! `certimix_models prove` proves the claims of a Lipschitz network's manifest from its ONNX file. These tests run it on
//! the bundled networks, on claims that are too small, and run its unit tests in `tests/lipschitz/`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The name of the checker in signed records.
const CHECKER_ID: &str = "models/evaluate/lipschitz_bound.py";

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn python(arguments: &[&str]) -> Output {
    let packages = repository().join(".runtime/python");
    assert!(
        packages.join("installed").is_file(),
        "ONNX's Python package is not in {}: run `make python-packages`",
        packages.display()
    );
    let search_path = std::env::join_paths([packages, repository().join("models")]).unwrap();
    Command::new("python3")
        // A package in the user's own folder must not replace one of these.
        .args(["-s", "-B"])
        .args(arguments)
        .current_dir(repository())
        .env("PYTHONPATH", search_path)
        .output()
        .expect("python3, which `make python-packages` needs too")
}

fn prove(manifest: &str) -> Output {
    python(&["-m", "certimix_models", "prove", manifest])
}

/// The standard output and the standard error, one after the other.
fn text_of(output: &Output) -> String {
    [&output.stdout, &output.stderr]
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        .concat()
}

/// Copies a fixture's ONNX file and writes a manifest with other claims beside it. Returns the manifest's path.
fn write_claim(folder: &Path, constant: &str, error: &str) -> PathBuf {
    let fixtures = repository().join("tests/fixtures");
    fs::copy(fixtures.join("linear_h.onnx"), folder.join("linear_h.onnx")).unwrap();
    let lines = fs::read_to_string(fixtures.join("linear_h.toml")).unwrap();
    let changed = lines.lines().map(|line| match line.split(" = ").next() {
        Some("constant") => format!("constant = {constant}\n"),
        Some("logit_error_bound") => format!("logit_error_bound = {error}\n"),
        _ => format!("{line}\n"),
    });
    let path = folder.join("claim.toml");
    fs::write(&path, changed.collect::<String>()).unwrap();
    path
}

#[test]
fn proves_the_claims_of_the_bundled_networks() {
    for folder in ["models/cifar10", "examples/lane_keeping"] {
        let mut proved = 0;
        for entry in fs::read_dir(repository().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let is_manifest = path.extension().is_some_and(|extension| extension == "toml");
            if is_manifest && fs::read_to_string(&path).unwrap().contains("lipschitz_logits") {
                let output = prove(path.to_str().unwrap());
                assert!(output.status.success(), "{}", text_of(&output));
                proved += 1;
            }
        }
        assert!(proved > 0, "found no manifest of a Lipschitz network in {folder}");
    }
}

/// The fixture multiplies by four: the constant is 4, and no smaller number may pass.
#[test]
fn rejects_a_claim_that_is_too_small() {
    let folder = tempfile::tempdir().unwrap();
    for (constant, error, expected) in [
        ("4.0001", "1e-4", None),
        ("3.9999", "1e-4", Some("guarantee.constant is 3.9999")),
        ("4.0001", "1e-9", Some("guarantee.logit_error_bound is 1e-09")),
        ("nan", "1e-4", Some("guarantee.constant is nan")),
    ] {
        let path = write_claim(folder.path(), constant, error);
        let output = prove(path.to_str().unwrap());
        let text = text_of(&output);
        match expected {
            None => assert!(output.status.success(), "{text}"),
            Some(message) => assert!(output.status.code() == Some(1) && text.contains(message), "{text}"),
        }
    }
}

#[test]
fn rejects_another_file_and_another_kind_of_claim() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_claim(folder.path(), "4.0001", "1e-4");
    let other = repository().join("tests/fixtures/linear_g.onnx");
    fs::copy(other, folder.path().join("linear_h.onnx")).unwrap();
    let output = prove(path.to_str().unwrap());
    assert!(
        !output.status.success() && text_of(&output).contains("not the one"),
        "{}",
        text_of(&output)
    );
    let output = prove("tests/fixtures/linear_h_linf.toml");
    assert!(
        !output.status.success() && text_of(&output).contains("linf"),
        "{}",
        text_of(&output)
    );
}

/// A record with a smaller constant than is proved would let the server report that constant as proven.
#[test]
fn rejects_a_record_that_claims_more_than_is_proved() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_claim(folder.path(), "4.0001", "1e-4");
    for (constant, classes, expected) in [
        ("4.0001", 3, None),
        ("3.9999", 3, Some("constant is 3.9999")),
        ("NaN", 3, Some("constant is nan")),
        ("4.0001", 2, Some("classes is 2")),
    ] {
        let statement = format!(
            r#"{{"version": 1, "checker": "{CHECKER_ID}", "model_sha256": "{}", "guarantee": "lipschitz_logits",
                "norm": "l2", "constant": {constant}, "logit_error_bound": 1e-4, "input_shape": [4],
                "input_range": [-1.0, 1.0], "output": "logits", "classes": {classes}}}"#,
            manifest_sha256(&path)
        );
        let record = serde_json::json!({"statement": statement, "public_key": "", "signature": ""});
        fs::write(folder.path().join("linear_h.proof.json"), record.to_string()).unwrap();
        let output = prove(path.to_str().unwrap());
        let text = text_of(&output);
        match expected {
            None => assert!(output.status.success(), "{text}"),
            Some(message) => assert!(output.status.code() == Some(1) && text.contains(message), "{text}"),
        }
    }
}

/// The SHA-256 of the model, as the manifest states it.
fn manifest_sha256(manifest: &Path) -> String {
    let text = fs::read_to_string(manifest).unwrap();
    let line = text.lines().find(|line| line.starts_with("sha256")).unwrap();
    line.split('"').nth(1).unwrap().to_owned()
}

#[test]
fn the_unit_tests_of_the_prover_pass() {
    let output = python(&["-m", "unittest", "discover", "-s", "tests/lipschitz"]);
    assert!(output.status.success(), "{}", text_of(&output));
}
