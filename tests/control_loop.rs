//! The control loop of `examples/control_loop.py` against the real binary, and its parts without one. Each test runs
//! one file of `tests/control_loop`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use python_tests::{PythonTests, repository};

#[path = "support/python_tests.rs"]
mod python_tests;

fn tests() -> PythonTests {
    PythonTests {
        folder: repository().join("tests/control_loop"),
        sources: ["clients/python/src", "examples"]
            .map(|folder| repository().join(folder))
            .to_vec(),
    }
}

/// Runs one file of tests, and fails with its output.
fn run_tests(file: &str) {
    tests().run(file, &[]);
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

#[test]
fn every_file_of_tests_is_run() {
    tests().assert_each_is_run_by("tests/control_loop.rs");
}
