//! The Python client of `clients/python` against the real binary. Each test runs one file of `clients/python/tests`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::path::Path;
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Writes an authority, a certificate of `localhost` and one of a client, which the Python tests use.
fn write_certificates(folder: &Path) {
    let write = |name: &str, content: String| std::fs::write(folder.join(name), content).unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "authority");
    let key = KeyPair::generate().unwrap();
    write("ca.crt", authority.self_signed(&key).unwrap().pem());
    let issuer = Issuer::new(authority, key);
    for (file, name) in [("server", "localhost"), ("client", "client.example")] {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        write(&format!("{file}.crt"), params.signed_by(&key, &issuer).unwrap().pem());
        write(&format!("{file}.key"), key.serialize_pem());
    }
}

/// Runs one file of tests, and fails with its output.
fn run_tests(file: &str) {
    let packages = repository().join(".runtime/python");
    assert!(
        packages.join("installed").is_file(),
        "the client's packages are not in {}: run `make python-packages`",
        packages.display()
    );
    let client = repository().join("clients/python");
    let certificates = tempfile::tempdir().unwrap();
    write_certificates(certificates.path());
    let output = Command::new("python3")
        // A package in the user's own folder must not replace one of these.
        .args(["-s", "-B"])
        .arg(client.join("tests").join(file))
        .env(
            "PYTHONPATH",
            std::env::join_paths([client.join("src"), packages]).unwrap(),
        )
        .env("CERTIMIX_TEST_BINARY", env!("CARGO_BIN_EXE_certimix"))
        .env("CERTIMIX_TEST_CERTIFICATES", certificates.path())
        // The tests start servers while gRPC's threads run, which its handlers of fork disturb.
        .env("GRPC_ENABLE_FORK_SUPPORT", "0")
        // The server runs on this machine.
        .env("no_proxy", "127.0.0.1,localhost")
        .output()
        .expect("python3 is installed, which `make python-packages` needs too");
    let text = [output.stdout, output.stderr]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat();
    assert!(output.status.success(), "{file}: {}\n{text}", output.status);
}

#[test]
fn the_types_are_strict_and_the_syntax_is_old_enough() {
    run_tests("test_types.py");
}

#[test]
fn the_generated_messages_are_up_to_date() {
    run_tests("test_stubs.py");
}

#[test]
fn an_abstention_never_passes_for_a_certificate() {
    run_tests("test_answers.py");
}

#[test]
fn requests_errors_and_retries_are_right_without_a_server() {
    run_tests("test_requests.py");
}

#[test]
fn every_call_is_answered_over_each_transport() {
    run_tests("test_calls.py");
}

#[test]
fn a_restart_and_a_refusal_are_survived() {
    run_tests("test_restarts.py");
}

#[test]
fn the_python_of_the_documents_runs() {
    run_tests("test_documents.py");
}

#[test]
fn the_wheel_answers_from_its_own_files() {
    run_tests("test_wheel.py");
}

#[test]
fn the_second_verifier_computes_bounds_radii_and_noise() {
    run_tests("test_verify.py");
}

#[test]
fn the_two_verifiers_agree_on_real_and_on_altered_records() {
    run_tests("test_verify_agreement.py");
}

/// A test file that no test runs proves nothing.
#[test]
fn every_file_of_tests_is_run() {
    let this = std::fs::read_to_string(repository().join("tests/python_client.rs")).unwrap();
    for entry in std::fs::read_dir(repository().join("clients/python/tests")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_test = name.starts_with("test_") && Path::new(&name).extension().is_some_and(|end| end == "py");
        assert!(
            !is_test || this.contains(&format!("run_tests(\"{name}\")")),
            "{name} is run by no test"
        );
    }
}
