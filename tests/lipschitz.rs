//! What a Lipschitz network's manifest claims is proved from its ONNX file by `models/evaluate/lipschitz_bound.py`; here it is run
//! on the bundled networks, on a claim that is too small, and through its own tests in `tests/lipschitz/`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const CHECKER: &str = "models/evaluate/lipschitz_bound.py";

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
    Command::new("python3")
        // No package of the user's own may stand in for one of these.
        .args(["-s", "-B"])
        .args(arguments)
        .current_dir(repository())
        .env("PYTHONPATH", &packages)
        .output()
        .expect("python3, which `make python-packages` needs too")
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr]
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        .concat()
}

/// A copy of a fixture's manifest with other claims, beside the same ONNX file.
fn claim(folder: &Path, constant: &str, error: &str) -> PathBuf {
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
fn the_bundled_networks_keep_what_their_manifests_promise() {
    let mut proved = 0;
    for entry in fs::read_dir(repository().join("models/cifar10")).unwrap() {
        let path = entry.unwrap().path();
        let is_manifest = path.extension().is_some_and(|extension| extension == "toml");
        if is_manifest && fs::read_to_string(&path).unwrap().contains("lipschitz_logits") {
            let output = python(&[CHECKER, path.to_str().unwrap()]);
            assert!(output.status.success(), "{}", said(&output));
            proved += 1;
        }
    }
    assert!(proved > 0, "there is no Lipschitz network to prove anything of");
}

/// The fixture multiplies by four: the constant is 4, and no number below it may pass.
#[test]
fn a_claim_that_is_too_small_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (constant, error, expected) in [
        ("4.0001", "1e-4", None),
        ("3.9999", "1e-4", Some("guarantee.constant is 3.9999")),
        ("4.0001", "1e-9", Some("guarantee.logit_error_bound is 1e-09")),
        ("nan", "1e-4", Some("guarantee.constant is nan")),
    ] {
        let path = claim(folder.path(), constant, error);
        let output = python(&[CHECKER, path.to_str().unwrap()]);
        let said = said(&output);
        match expected {
            None => assert!(output.status.success(), "{said}"),
            Some(why) => assert!(output.status.code() == Some(1) && said.contains(why), "{said}"),
        }
    }
}

#[test]
fn another_file_or_another_claim_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = claim(folder.path(), "4.0001", "1e-4");
    let other = repository().join("tests/fixtures/linear_g.onnx");
    fs::copy(other, folder.path().join("linear_h.onnx")).unwrap();
    let output = python(&[CHECKER, path.to_str().unwrap()]);
    assert!(
        !output.status.success() && said(&output).contains("not the one"),
        "{}",
        said(&output)
    );
    let output = python(&[CHECKER, "tests/fixtures/linear_h_linf.toml"]);
    assert!(
        !output.status.success() && said(&output).contains("linf"),
        "{}",
        said(&output)
    );
}

/// A record that says less than is proved would let the server call too small a constant proven.
#[test]
fn a_record_that_promises_more_than_is_proved_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = claim(folder.path(), "4.0001", "1e-4");
    for (constant, classes, expected) in [
        ("4.0001", 3, None),
        ("3.9999", 3, Some("constant is 3.9999")),
        ("NaN", 3, Some("constant is nan")),
        ("4.0001", 2, Some("classes is 2")),
    ] {
        let statement = format!(
            r#"{{"version": 1, "checker": "{CHECKER}", "model_sha256": "{}", "guarantee": "lipschitz_logits",
                "norm": "l2", "constant": {constant}, "logit_error_bound": 1e-4, "input_shape": [4],
                "input_range": [-1.0, 1.0], "output": "logits", "classes": {classes}}}"#,
            sha256_of(&path)
        );
        let record = serde_json::json!({"statement": statement, "public_key": "", "signature": ""});
        fs::write(folder.path().join("linear_h.proof.json"), record.to_string()).unwrap();
        let output = python(&[CHECKER, path.to_str().unwrap()]);
        let said = said(&output);
        match expected {
            None => assert!(output.status.success(), "{said}"),
            Some(why) => assert!(output.status.code() == Some(1) && said.contains(why), "{said}"),
        }
    }
}

/// That which the manifest states.
fn sha256_of(manifest: &Path) -> String {
    let text = fs::read_to_string(manifest).unwrap();
    let line = text.lines().find(|line| line.starts_with("sha256")).unwrap();
    line.split('"').nth(1).unwrap().to_owned()
}

#[test]
fn the_checkers_own_tests() {
    let output = python(&["-m", "unittest", "discover", "-s", "tests/lipschitz"]);
    assert!(output.status.success(), "{}", said(&output));
}
