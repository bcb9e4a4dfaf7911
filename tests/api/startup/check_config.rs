//! `certimix check-config` reports what `certimix serve` refuses, and nothing else.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::Setup;
use crate::support::process::{ServerProcess, fails, run};
use crate::support::tls_authority::{CertificateAuthority, VALID_NOW, with_tls};

fn base() -> Setup {
    Setup::pair("linear_g", "linear_h")
}

fn bundled(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("models/cifar10/{name}.toml"))
}

/// The output of `check-config --json`, and its exit code.
fn check(setup: &Setup, options: &[&str], variables: &[(&str, &str)]) -> (Value, Option<i32>) {
    let file = setup.write();
    let arguments = [&["check-config", "--json", file.to_str().unwrap()], options].concat();
    let output = run(&arguments, variables);
    let shown = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (shown, output.status.code())
}

fn keys_of(findings: &Value) -> BTreeSet<String> {
    let keys = findings.as_array().unwrap().iter();
    keys.map(|found| found["key"].as_str().unwrap().to_owned()).collect()
}

/// The keys that the error of `certimix serve` names: at the start of a line, or in parentheses.
fn refused_keys(setup: &Setup) -> BTreeSet<String> {
    let message = fails(&["serve", setup.write().to_str().unwrap()], &[]);
    let named = certimix::settings::described_keys();
    let mut names: Vec<&str> = named.iter().map(|key| key.name).collect();
    names.push("models");
    let found = names.into_iter().filter(|name| {
        message.contains(&format!("({name})"))
            || message
                .lines()
                .any(|line| line.trim_start().starts_with(&format!("{name}: ")))
    });
    found.map(str::to_owned).collect()
}

/// Configurations that `serve` refuses, each with the keys to blame.
fn refused_configurations() -> Vec<(&'static str, Setup, Vec<&'static str>)> {
    let authority = CertificateAuthority::new();
    let mut cases = vec![
        (
            "an address without a port",
            base().text("server.listen", "127.0.0.1"),
            vec!["server.listen"],
        ),
        (
            "an address of another machine",
            base()
                .text("server.listen", "192.0.2.1:50051")
                .with("server.allow_plaintext", true),
            vec!["server.listen"],
        ),
        (
            "a metrics address of another machine",
            base().text("metrics.listen", "192.0.2.1:9464"),
            vec!["metrics.listen"],
        ),
        (
            "one port for two listeners",
            base()
                .text("server.listen", "127.0.0.1:45051")
                .text("metrics.listen", "0.0.0.0:45051"),
            vec!["metrics.listen"],
        ),
        (
            "a socket in a folder that is absent",
            base().text("server.unix_socket", "absent/c.sock"),
            vec!["server.unix_socket"],
        ),
        (
            "an absent manifest",
            base().text("models.standard", "absent.toml"),
            vec!["models.standard"],
        ),
        (
            "an absent ONNX file",
            base().edited("models.robust", "linear_h", &[("linear_h.onnx", "absent.onnx")]),
            vec!["models.robust"],
        ),
        (
            "another SHA-256",
            base().edited("models.standard", "linear_g", &[("linear_g.onnx", "linear_h.onnx")]),
            vec!["models.standard"],
        ),
        (
            "a manifest with an unknown field",
            base().edited(
                "models.robust",
                "linear_h",
                &[("[guarantee]", "[guarantee]\nproven_by = \"me\"")],
            ),
            vec!["models.robust"],
        ),
        (
            "a manifest that contradicts its model",
            base().edited(
                "models.robust",
                "linear_h",
                &[("name = \"logits\"", "name = \"scores\"")],
            ),
            vec!["models.robust"],
        ),
        (
            "models with different classes",
            Setup::pair("steep_g", "linear_h"),
            vec!["models"],
        ),
        (
            "external weights",
            Setup::pair("linear_g", "elsewhere_h"),
            vec!["models.robust"],
        ),
        (
            "random outputs",
            Setup::pair("random_g", "linear_h"),
            vec!["models.standard"],
        ),
        (
            "logits declared as probabilities",
            base().edited(
                "models.standard",
                "linear_g",
                &[("kind = \"logits\"", "kind = \"probabilities\"")],
            ),
            vec!["models.standard"],
        ),
        (
            "outputs that are never finite",
            Setup::pair("linear_g", "overflow_h"),
            vec!["models.robust"],
        ),
        (
            "a model that depends on its batch",
            Setup::pair("linear_g", "batch_mean_h").with("runtime.require_row_independence", true),
            vec!["models.robust"],
        ),
        (
            "a temperature on a smoothed model",
            Setup::pair("steep_g", "half_space").with("mixture.robust_temperature", 2.0),
            vec!["mixture.robust_temperature"],
        ),
        (
            "a queue that is too short for votes",
            Setup::pair("steep_g", "half_space")
                .batch_size(16)
                .with("scheduler.queue_rows", 64),
            vec!["scheduler.queue_rows"],
        ),
        (
            "a message that holds no input",
            base()
                .path("models.standard", &bundled("standard"))
                .path("models.robust", &bundled("lipschitz"))
                .with("server.max_message_bytes", 4096),
            vec!["server.max_message_bytes"],
        ),
        (
            "an absent library",
            base().text("runtime.library", "absent/libonnxruntime.so"),
            vec!["runtime.library"],
        ),
        (
            "no CUDA",
            base().text("runtime.provider", "cuda"),
            vec!["runtime.provider"],
        ),
        (
            "absent credentials",
            base()
                .text("tls.certificate", "absent.pem")
                .text("tls.key", "absent.key")
                .text("server.bearer_token_file", "absent.txt"),
            vec!["tls.certificate", "tls.key", "server.bearer_token_file"],
        ),
        (
            "an expired certificate",
            with_tls(base(), &authority.sign((2000, 2001))),
            vec!["tls.certificate"],
        ),
    ];
    let setup = with_tls(base(), &authority.sign(VALID_NOW));
    setup.file("server.key", authority.sign(VALID_NOW).key.as_bytes());
    cases.push(("the key of another certificate", setup, vec!["tls.key"]));
    let setup = base().text("server.bearer_token_file", "tokens.txt");
    setup.file("tokens.txt", b"short\n");
    cases.push(("a short token", setup, vec!["server.bearer_token_file"]));
    let setup = base().text("runtime.library", "libonnxruntime.so");
    setup.file("libonnxruntime.so", b"not a library");
    cases.push(("a library that is none", setup, vec!["runtime.library"]));
    let setup = base().text("server.unix_socket", "file");
    setup.file("file", b"");
    cases.push(("a file in place of a socket", setup, vec!["server.unix_socket"]));
    cases
}

#[test]
fn check_config_reports_the_keys_that_serve_refuses() {
    for (name, setup, expected) in refused_configurations() {
        let expected: BTreeSet<String> = expected.into_iter().map(str::to_owned).collect();
        let (shown, code) = check(&setup, &[], &[]);
        assert_eq!(keys_of(&shown["violations"]), expected, "{name}: {shown}");
        assert_eq!((shown["valid"].as_bool(), code), (Some(false), Some(1)), "{name}");
        assert_eq!(refused_keys(&setup), expected, "{name}");
    }
}

#[test]
fn faults_of_every_part_are_reported_at_once() {
    let setup = base()
        .with("mixture.alpha", 1.5)
        .text("runtime.library", "absent.so")
        .text("server.bearer_token_file", "absent.txt")
        .edited("models.robust", "linear_h", &[("linear_h.onnx", "absent.onnx")])
        .edited("models.standard", "linear_g", &[("sha256 = \"", "sha256 = \"0")]);
    let (shown, _) = check(&setup, &[], &[]);
    let expected = [
        "mixture.alpha",
        "models.robust",
        "models.standard",
        "runtime.library",
        "server.bearer_token_file",
    ];
    let found = keys_of(&shown["violations"]);
    assert!(found.iter().map(String::as_str).eq(expected), "{shown}");
    let violations = shown["violations"].as_array().unwrap();
    let alpha = violations.iter().find(|found| found["key"] == "mixture.alpha").unwrap();
    assert_eq!(alpha["origin"], json!({ "source": "file", "line": 2 }), "{alpha}");
    let message = fails(&["check-config", setup.write().to_str().unwrap()], &[]);
    assert!(message.contains("5 violations"), "{message}");
}

/// Two models that fail the self-test are both reported.
#[test]
fn every_model_is_tested() {
    let (shown, _) = check(&Setup::pair("overflow_g", "overflow_h"), &[], &[]);
    assert!(
        keys_of(&shown["violations"])
            .iter()
            .map(String::as_str)
            .eq(["models.robust", "models.standard"]),
        "{shown}"
    );
}

/// A read of a pipe would never end.
#[test]
fn a_pipe_is_reported_and_not_read() {
    let setup = base()
        .text("models.robust", "pipe")
        .text("server.bearer_token_file", "pipe");
    let pipe = setup.folder().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (shown, _) = check(&setup, &[], &[]);
    assert!(
        keys_of(&shown["violations"])
            .iter()
            .map(String::as_str)
            .eq(["models.robust", "server.bearer_token_file"]),
        "{shown}"
    );
}

/// The server of the checked file may run: its addresses are in use, and the file is valid.
#[test]
fn an_address_in_use_is_a_warning() {
    let port = || {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().to_string()
    };
    let setup = base()
        .text("server.listen", &port())
        .text("server.unix_socket", "c.sock")
        .text("metrics.listen", &port());
    let server = ServerProcess::spawn(&setup.write());
    server.address();
    let (shown, code) = check(&setup, &[], &[]);
    assert_eq!((shown["valid"].as_bool(), code), (Some(true), Some(0)), "{shown}");
    let warned = keys_of(&shown["warnings"]);
    for key in ["metrics.listen", "server.listen", "server.unix_socket"] {
        assert!(warned.contains(key), "{key} is not in {warned:?}");
    }
}

#[test]
fn limits_that_disagree_are_a_warning() {
    let setup = Setup::pair("image_g", "image_h")
        .with("server.max_inputs", 64)
        .with("server.max_message_bytes", 8192);
    let (shown, code) = check(&setup, &[], &[]);
    assert_eq!(code, Some(0), "{shown}");
    let warnings = shown["warnings"].as_array().unwrap();
    let warning = warnings
        .iter()
        .find(|found| found["key"] == "server.max_inputs")
        .unwrap();
    assert!(
        warning["message"].as_str().unwrap().contains("holds 10 FLOAT32 inputs"),
        "{warning}"
    );
}

#[test]
fn an_offline_check_needs_no_models() {
    let absent = base()
        .text("models.standard", "absent.toml")
        .text("models.robust", "absent.toml")
        .text("runtime.library", "absent.so")
        .text("server.bearer_token_file", "absent.txt");
    let (shown, code) = check(&absent, &["--offline"], &[]);
    assert_eq!((shown["valid"].as_bool(), code), (Some(true), Some(0)), "{shown}");
    assert_eq!(keys_of(&shown["not_checked"]).len(), 2, "{shown}");
    assert_eq!(shown["models"], Value::Null);
    // A manifest that is there is checked, without its ONNX file.
    let smoothed = Setup::pair("steep_g", "half_space")
        .edited("models.robust", "half_space", &[("half_space.onnx", "absent.onnx")])
        .with("mixture.robust_temperature", 2.0);
    let (shown, code) = check(&smoothed, &["--offline"], &[]);
    assert_eq!(code, Some(1));
    assert!(
        keys_of(&shown["violations"])
            .iter()
            .map(String::as_str)
            .eq(["mixture.robust_temperature"]),
        "{shown}"
    );
}

#[test]
fn explain_shows_the_value_in_force_and_its_source() {
    let setup = base().with("mixture.alpha", 0.8);
    let file = setup.write();
    let file = file.to_str().unwrap();
    let explain = |key: &str, variables: &[(&str, &str)]| {
        let output = run(&["check-config", file, "--explain", key], variables);
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let alpha = explain("mixture.alpha", &[]);
    for expected in [
        "Weight of the robust model",
        "a number from 0 to 1",
        "default 0.76",
        "reload yes",
        "CERTIMIX__MIXTURE__ALPHA",
        "in force 0.8, from",
        "line 2",
    ] {
        assert!(alpha.contains(expected), "{expected} is not in {alpha}");
    }
    let overridden = explain("mixture.alpha", &[("CERTIMIX__MIXTURE__ALPHA", "0.9")]);
    assert!(
        overridden.contains("in force 0.9, from the environment variable CERTIMIX__MIXTURE__ALPHA, which overrides"),
        "{overridden}"
    );
    let bytes = explain("server.max_message_bytes", &[]);
    assert!(
        bytes.contains("unit bytes") && bytes.contains("4194304, the default"),
        "{bytes}"
    );
    assert!(explain("server.listen", &[]).contains("reload no: a change needs a restart"));
    assert!(explain("log", &[]).contains("log.filter"));
    let without_file = run(&["check-config", "--explain", "mixture.alpha", "--json"], &[]);
    let shown: Value = serde_json::from_slice(&without_file.stdout).unwrap();
    assert_eq!(shown[0]["reloadable"], true);
    let message = fails(&["check-config", "--explain", "mixture.alhpa"], &[]);
    assert!(message.contains("did you mean mixture.alpha?"), "{message}");
}

#[test]
fn a_file_that_is_not_toml_is_a_violation_in_json() {
    let setup = base();
    let broken = setup.file("broken.toml", b"mixture = [alpha");
    let output = run(&["check-config", "--json", broken.to_str().unwrap()], &[]);
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((shown["valid"].as_bool(), output.status.code()), (Some(false), Some(1)));
    assert!(keys_of(&shown["violations"]).contains("file"), "{shown}");
}
