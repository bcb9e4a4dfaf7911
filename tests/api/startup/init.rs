//! `certimix init`: whatever it writes, `certimix check-config` accepts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::process::{fails, run};
use crate::support::{RUNTIME_LIBRARY, fixture};

fn onnx(name: &str) -> String {
    fixture(name).with_extension("onnx").to_str().unwrap().to_owned()
}

/// A folder for the files of one run.
struct Target(TempDir);

impl Target {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn arguments(&self, standard: &str, robust: &str, options: &[&str]) -> Vec<String> {
        let mut arguments: Vec<String> = [
            "init",
            "--yes",
            "--json",
            "--library",
            RUNTIME_LIBRARY,
            "--standard",
            &onnx(standard),
            "--robust",
            &onnx(robust),
            "--out",
            self.0.path().to_str().unwrap(),
            "--config",
            self.path("certimix.toml").to_str().unwrap(),
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.extend(options.iter().map(|&option| option.to_owned()));
        arguments
    }

    fn init(&self, standard: &str, robust: &str, options: &[&str]) -> Output {
        let arguments = self.arguments(standard, robust, options);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run(&arguments, &[])
    }

    #[track_caller]
    fn init_fails(&self, standard: &str, robust: &str, options: &[&str]) -> String {
        let arguments = self.arguments(standard, robust, options);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let message = fails(&arguments, &[]);
        let written: Vec<_> = fs::read_dir(self.0.path()).unwrap().collect();
        assert!(written.is_empty(), "{written:?}");
        message
    }

    /// Runs `init`, and then `check-config` on what it wrote. Returns the answers of both.
    #[track_caller]
    fn accepted(&self, standard: &str, robust: &str, options: &[&str]) -> (Value, Value) {
        let output = self.init(standard, robust, options);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(
            output.status.success(),
            "{standard}, {robust}: {}",
            text(&output.stderr)
        );
        let config = self.path("certimix.toml");
        let check = run(&["check-config", "--json", config.to_str().unwrap()], &[]);
        assert!(check.status.success(), "{standard}, {robust}: {}", text(&check.stdout));
        [output.stdout, check.stdout]
            .map(|json| serde_json::from_slice(&json).unwrap())
            .into()
    }
}

fn text_of(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn whatever_init_writes_check_config_accepts() {
    for (standard, robust, options) in [
        ("linear_g", "linear_h", &["--range=-1,1"][..]),
        ("linear_g", "softmax_h", &["--range=-1,1"]),
        ("half_g", "double_g", &["--range=-1,1"]),
        ("integers_g", "fixed_batch", &["--range=-64,64"]),
        ("bytes_g", "fixed_batch_3", &["--range", "0,1"]),
        (
            "integers_g",
            "linear_h",
            &["--range=-1,1", "--standard-onnx-range=-64,64"],
        ),
        ("pooled_g", "opset_9", &["--range=-1,1"]),
        ("opset_25", "int8_weights", &["--range=-1,1", "--sigma", "0.5"]),
        (
            "two_outputs",
            "quantised_h",
            &["--range=-1,1", "--standard-output", "probabilities"],
        ),
        ("channels_last", "image_h", &["--range", "0,1"]),
        ("channels_last", "channels_last", &["--range", "0,1"]),
        ("image_g", "channels_last", &["--range", "0,1", "--sigma", "0.25"]),
        (
            "linear_g",
            "linear_g",
            &["--range=-1,1", "--sigma", "0.25", "--levels", "512"],
        ),
        (
            "linear_g",
            "linear_h",
            &["--range=-1,1", "--constant", "4", "--logit-error-bound", "1e-5"],
        ),
    ] {
        let target = Target::new();
        let (found, _) = target.accepted(standard, robust, options);
        let manifest = text_of(found["robust"]["manifest"].as_str().unwrap());
        let is_stated = options.contains(&"--sigma") || options.contains(&"--constant");
        // A guarantee is never invented.
        assert_eq!(manifest.contains("\nkind = \"none\""), !is_stated, "{manifest}");
    }
}

#[test]
fn the_outputs_are_seen_by_running_the_models() {
    let (found, _) = Target::new().accepted("linear_g", "softmax_h", &["--range=-1,1"]);
    assert_eq!(found["standard"]["kind"], "logits");
    assert_eq!(found["robust"]["kind"], "probabilities");
    let reason = found["robust"]["kind_reason"].as_str().unwrap();
    assert!(reason.contains("after a softmax of \"logits\""), "{reason}");
    assert_eq!(found["robust"]["classes"], 3);
    let message = Target::new().init_fails(
        "linear_g",
        "softmax_h",
        &["--range=-1,1", "--constant", "4", "--logit-error-bound", "1e-5"],
    );
    assert!(
        message.contains("returns probabilities") && message.contains("\"logits\""),
        "{message}"
    );
}

#[test]
fn a_number_that_a_person_states_is_claimed_everywhere() {
    let target = Target::new();
    let stated = ["--range=-1,1", "--constant", "4", "--logit-error-bound", "1e-5"];
    let (found, check) = target.accepted("linear_g", "linear_h", &stated);
    let manifest = text_of(found["robust"]["manifest"].as_str().unwrap());
    assert!(manifest.contains("\nbasis = \"claimed\""), "{manifest}");
    let warnings = check["warnings"].to_string();
    assert!(warnings.contains("a person stated it"), "{warnings}");
}

#[test]
fn an_unknown_answer_names_its_flag_and_writes_nothing() {
    let message = Target::new().init_fails("linear_g", "linear_h", &[]);
    assert!(message.contains("--range: "), "{message}");
    let message = Target::new().init_fails("two_outputs", "linear_h", &["--range=-1,1"]);
    assert!(
        message.contains("--standard-output: ") && message.contains("probabilities (3 probabilities)"),
        "{message}"
    );
    let message = Target::new().init_fails("linear_g", "linear_h", &["--range=-1,1", "--guarantee", "state"]);
    assert!(
        message.contains("--constant: ") && message.contains("--logit-error-bound: "),
        "{message}"
    );
}

#[test]
fn models_that_cannot_be_served_are_explained() {
    for (standard, robust, expected) in [
        ("linear_g", "elsewhere_h", "onnx.save(onnx.load("),
        ("random_g", "linear_h", "draws random numbers"),
        ("two_inputs", "linear_h", "expected one input"),
        ("image_g", "linear_h", "does not fit"),
        ("linear_g", "half_space", "3 classes"),
    ] {
        let message = Target::new().init_fails(standard, robust, &["--range=-1,1"]);
        assert!(message.contains(expected), "{standard}, {robust}: {message}");
    }
}

#[test]
fn a_file_is_replaced_only_by_force() {
    let target = Target::new();
    let manifest = target.path("linear_h.toml");
    fs::write(&manifest, "mine").unwrap();
    let output = target.init("linear_g", "linear_h", &["--range=-1,1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("linear_h.toml"));
    assert_eq!(text_of(&manifest), "mine");
    assert!(!target.path("certimix.toml").exists());
    target.accepted("linear_g", "linear_h", &["--range=-1,1", "--force"]);
    assert!(text_of(&manifest).contains("manifest_version = 1"));
}

#[test]
fn labels_come_from_a_file_or_are_numbers() {
    let target = Target::new();
    let labels = target.0.path().join("labels.txt");
    fs::write(&labels, "a\n\"b\"\nc\n").unwrap();
    let options = ["--range=-1,1", "--labels", labels.to_str().unwrap()];
    let (found, _) = target.accepted("linear_g", "linear_h", &options);
    let manifest: toml::Table = text_of(found["standard"]["manifest"].as_str().unwrap())
        .parse()
        .unwrap();
    let read: Vec<&str> = manifest["labels"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(toml::Value::as_str)
        .collect();
    assert_eq!(read, ["a", "\"b\"", "c"]);
    fs::write(&labels, "a\nb\n").unwrap();
    let output = target.init("linear_g", "linear_h", &[&options[..], &["--force"]].concat());
    assert!(String::from_utf8_lossy(&output.stderr).contains("expected 3 labels"));
}
