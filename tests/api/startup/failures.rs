//! An error at start-up ends the process with an exit code and a message that helps to fix it,
//! without a panic or a backtrace.

use sha2::{Digest as _, Sha256};

use crate::support::Setup;
use crate::support::process::fails;

#[track_caller]
fn assert_start_fails(setup: &Setup, expected: &[&str]) {
    let message = fails(&["serve", setup.write().to_str().unwrap()], &[]);
    for text in expected {
        assert!(message.contains(text), "no \"{text}\" in {message}");
    }
}

fn base() -> Setup {
    Setup::pair("linear_g", "linear_h")
}

/// Settings with a copy of the manifest of `linear_h` for another model file, with the checksum of
/// that file.
fn with_model_file(name: &str, content: &[u8]) -> Setup {
    let setup = base();
    let file = setup.file(name, content);
    let sha256: String = Sha256::digest(content)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let manifest = std::fs::read_to_string(crate::support::fixture("linear_h")).unwrap();
    let lines = manifest.lines().map(|line| match line.split(" = ").next() {
        Some("file") => format!("file = \"{}\"\n", file.to_str().unwrap()),
        Some("sha256") => format!("sha256 = \"{sha256}\"\n"),
        _ => format!("{line}\n"),
    });
    let text: String = lines.collect();
    let path = setup.file("with_model_file.toml", text.as_bytes());
    setup.path("models.robust", &path)
}

#[test]
fn a_corrupt_model_file_is_refused() {
    assert_start_fails(
        &with_model_file("corrupt.onnx", b"this is no model"),
        &["is not an ONNX model", "corrupt.onnx"],
    );
    let whole = std::fs::read(crate::support::fixture("linear_h").with_extension("onnx")).unwrap();
    assert_start_fails(
        &with_model_file("cut.onnx", &whole[..whole.len() / 2]),
        &["is not an ONNX model", "cut.onnx"],
    );
    assert_start_fails(
        &with_model_file("empty.onnx", b""),
        &["is not an ONNX model", "empty.onnx"],
    );
}

/// The model can be parsed but not run, because it has an unknown operator.
#[test]
fn a_model_with_an_unknown_operator_is_refused() {
    let whole = std::fs::read(crate::support::fixture("linear_h").with_extension("onnx")).unwrap();
    let name = whole.windows(4).position(|bytes| bytes == b"Gemm").unwrap();
    let mut other = whole;
    other[name..name + 4].copy_from_slice(b"Gone");
    assert_start_fails(
        &with_model_file("other.onnx", &other),
        &["ONNX Runtime cannot load", "other.onnx"],
    );
}

/// The weights are in another file, which the SHA-256 in the manifest does not cover.
#[test]
fn a_model_with_external_weights_is_refused() {
    assert_start_fails(
        &Setup::pair("linear_g", "elsewhere_h"),
        &[
            "elsewhere_h.onnx",
            "\"elsewhere_h.bin\"",
            "sha256 does not cover",
            "save_as_external_data=False",
        ],
    );
}

#[test]
fn a_model_file_with_another_checksum_is_refused() {
    let setup = base().edited("models.robust", "linear_h", &[("linear_h.onnx", "linear_g.onnx")]);
    assert_start_fails(
        &setup,
        &[
            "SHA-256",
            "linear_g.onnx",
            "its manifest",
            "linear_h.toml",
            "write a manifest for it",
        ],
    );
}

#[test]
fn a_missing_model_file_or_manifest_is_refused() {
    let setup = base().edited("models.robust", "linear_h", &[("linear_h.onnx", "absent.onnx")]);
    assert_start_fails(&setup, &["cannot read the ONNX file", "absent.onnx"]);
    assert_start_fails(
        &base().text("models.standard", "absent.toml"),
        &["cannot read the manifest", "absent.toml"],
    );
}

#[test]
fn a_manifest_that_contradicts_the_model_is_refused() {
    type WrongManifest<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);
    let cases: [WrongManifest; 4] = [
        (&[("shape = [4]", "shape = [5]")], &["input.shape", "[N, 5]"]),
        (&[("\"right\"]", "\"right\", \"up\"]")], &["labels", "[N, 4]"]),
        (
            &[("name = \"input\"", "name = \"image\"")],
            &["input.name", "\"image\"", "\"input\""],
        ),
        (
            &[("name = \"logits\"", "name = \"scores\"")],
            &["output.name", "\"scores\"", "\"logits\""],
        ),
    ];
    for (edits, expected) in cases {
        let setup = base()
            .edited("models.robust", "linear_h", edits)
            .edited("models.standard", "linear_g", edits);
        assert_start_fails(&setup, &[&["does not match its manifest"], expected].concat());
    }
}

/// The manifest is wrong in several places, and the message reports all of them.
#[test]
fn every_contradiction_is_reported() {
    let edits = [
        ("shape = [4]", "shape = [2, 2]"),
        ("\"right\"]", "\"right\", \"up\"]"),
        ("name = \"input\"", "name = \"image\""),
    ];
    let setup = base().edited("models.standard", "linear_g", &edits);
    assert_start_fails(&setup, &["linear_g.onnx", "input.name", "input.shape", "labels"]);
}

#[test]
fn logits_declared_as_probabilities_are_refused() {
    let setup = base().edited(
        "models.standard",
        "linear_g",
        &[("kind = \"logits\"", "kind = \"probabilities\"")],
    );
    assert_start_fails(&setup, &["output.kind", "\"probabilities\"", "sum"]);
}

#[test]
fn graphs_with_another_interface_than_the_manifest_are_refused() {
    assert_start_fails(
        &Setup::pair("two_inputs", "linear_h"),
        &["input.name", "\"input\"", "\"other\""],
    );
    assert_start_fails(&Setup::pair("double_input", "linear_h"), &["input.dtype", "float32"]);
    assert_start_fails(&Setup::pair("open_classes", "linear_h"), &["labels", "[N, 3]", "5"]);
}

#[test]
fn a_missing_or_invalid_library_is_refused() {
    let setup = base().text("runtime.library", "absent/libonnxruntime.so");
    assert_start_fails(
        &setup,
        &[
            "cannot load ONNX Runtime",
            "absent/libonnxruntime.so",
            "runtime.library",
            "make runtime",
        ],
    );
    let setup = base();
    let text = setup.file("libonnxruntime.so", b"not a library");
    assert_start_fails(
        &setup.path("runtime.library", &text),
        &["cannot load ONNX Runtime", "make runtime"],
    );
}

/// The file is a shared library, but not ONNX Runtime.
#[test]
fn another_shared_library_is_refused() {
    let libraries = [
        "/lib/x86_64-linux-gnu/libc.so.6",
        "/lib64/libc.so.6",
        "/usr/lib/libc.so.6",
        "/lib/aarch64-linux-gnu/libc.so.6",
    ];
    let Some(library) = libraries.iter().find(|path| std::path::Path::new(path).exists()) else {
        return;
    };
    assert_start_fails(
        &base().text("runtime.library", library),
        &["cannot load ONNX Runtime", "make runtime"],
    );
}

/// The ONNX Runtime of the tests has no CUDA. A request for CUDA by name is an error, never a
/// silent fallback.
#[test]
fn cuda_by_name_fails_without_cuda() {
    let setup = base().text("runtime.provider", "cuda");
    assert_start_fails(
        &setup,
        &[
            "runtime.provider = \"cuda\"",
            "does not load",
            "onnxruntime-gpu",
            "set runtime.provider to \"cpu\"",
        ],
    );
}

#[test]
fn settings_that_do_not_fit_the_models_are_refused() {
    let setup = Setup::pair("steep_g", "half_space")
        .with("mixture.robust_temperature", 2.0)
        .batch_size(16)
        .with("scheduler.queue_rows", 64);
    assert_start_fails(
        &setup,
        &[
            "cannot be served with these settings",
            "mixture.robust_temperature",
            "scheduler.queue_rows",
        ],
    );
}

#[test]
fn models_with_different_classes_are_refused() {
    assert_start_fails(
        &Setup::pair("steep_g", "linear_h"),
        &["do not fit together", "labels", "\"no\"", "\"left\""],
    );
}

#[test]
fn an_address_in_use_is_refused() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for accept_before_ready in [true, false] {
        let setup = base()
            .text("server.listen", &address)
            .with("server.accept_before_ready", accept_before_ready);
        assert_start_fails(&setup, &["cannot listen", &address, "server.listen"]);
    }
}

/// No thread gets a stack of 2^47 bytes, so the first one that the server starts fails.
#[test]
fn a_thread_that_cannot_be_started_ends_the_start() {
    let setup = Setup::pair("linear_g", "linear_h");
    let path = setup.write();
    let stack = (1_u64 << 47).to_string();
    let message = fails(&["serve", path.to_str().unwrap()], &[("RUST_MIN_STACK", &stack)]);
    assert!(message.contains("thread"), "{message}");
}
