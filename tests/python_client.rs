//! The Python client of `clients/python` against the real binary. Each test runs one file of `clients/python/tests`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::path::Path;

use python_tests::{PythonTests, repository};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

#[path = "support/python_tests.rs"]
mod python_tests;

fn tests() -> PythonTests {
    let client = repository().join("clients/python");
    PythonTests {
        folder: client.join("tests"),
        sources: vec![client.join("src")],
    }
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
    let certificates = tempfile::tempdir().unwrap();
    write_certificates(certificates.path());
    tests().run(file, &[("CERTIMIX_TEST_CERTIFICATES", certificates.path())]);
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

#[test]
fn every_file_of_tests_is_run() {
    tests().assert_each_is_run_by("tests/python_client.rs");
}
