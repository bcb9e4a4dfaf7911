//! The control loop of `examples/control_loop.py` against the real binary, and its parts without one. Each test runs
//! one file of `tests/control_loop`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::path::Path;
use std::process::Command;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs one file of tests, and fails with its output.
fn run_tests(file: &str) {
    let packages = repository().join(".runtime/python");
    assert!(
        packages.join("installed").is_file(),
        "the packages of the example are not in {}: run `make python-packages`",
        packages.display()
    );
    let folders = ["clients/python/src", "examples"].map(|folder| repository().join(folder));
    let output = Command::new("python3")
        // A package in the user's own folder must not replace one of these.
        .args(["-s", "-B"])
        .arg(repository().join("tests/control_loop").join(file))
        .env(
            "PYTHONPATH",
            std::env::join_paths(folders.iter().chain([&packages])).unwrap(),
        )
        .env("CERTIMIX_TEST_BINARY", env!("CARGO_BIN_EXE_certimix"))
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
fn the_simplex_never_acts_on_an_uncertified_class() {
    run_tests("test_simplex.py");
}

#[test]
fn the_plant_its_noise_and_its_attacker_are_as_described() {
    run_tests("test_plant.py");
}

#[test]
fn the_loop_runs_against_the_real_server() {
    run_tests("test_run.py");
}

#[test]
fn the_example_is_typed_and_small() {
    run_tests("test_types.py");
}

#[test]
fn the_python_of_the_guide_runs() {
    run_tests("test_documents.py");
}

/// A test file that no test runs proves nothing.
#[test]
fn every_file_of_tests_is_run() {
    let this = std::fs::read_to_string(repository().join("tests/control_loop.rs")).unwrap();
    for entry in std::fs::read_dir(repository().join("tests/control_loop")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_test = name.starts_with("test_") && Path::new(&name).extension().is_some_and(|end| end == "py");
        assert!(
            !is_test || this.contains(&format!("run_tests(\"{name}\")")),
            "{name} is run by no test"
        );
    }
}
