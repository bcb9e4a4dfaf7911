//! Runs files of Python tests against the real binary.

use std::path::{Path, PathBuf};
use std::process::Command;

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Python tests in one folder of the repository.
pub struct PythonTests {
    pub folder: PathBuf,
    /// The folders from which the tests import, beside the fetched packages.
    pub sources: Vec<PathBuf>,
}

impl PythonTests {
    /// Runs one file with these environment variables, and fails with its output.
    pub fn run(&self, file: &str, variables: &[(&str, &Path)]) {
        let packages = repository().join(".runtime/python");
        assert!(
            packages.join("installed").is_file(),
            "the packages of the tests are not in {}: run `make python-packages`",
            packages.display()
        );
        let paths = self.sources.iter().chain([&packages]);
        let output = Command::new("python3")
            // A package in the user's own folder must not replace one of these.
            .args(["-s", "-B"])
            .arg(self.folder.join(file))
            .env("PYTHONPATH", std::env::join_paths(paths).unwrap())
            .env("CERTIMIX_TEST_BINARY", env!("CARGO_BIN_EXE_certimix"))
            .envs(variables.iter().copied())
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

    /// Checks that the file of Rust tests `caller` runs each file. A test file that no test runs proves
    /// nothing.
    pub fn assert_each_is_run_by(&self, caller: &str) {
        let caller = std::fs::read_to_string(repository().join(caller)).unwrap();
        for entry in std::fs::read_dir(&self.folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let is_test = name.starts_with("test_") && Path::new(&name).extension().is_some_and(|end| end == "py");
            assert!(
                !is_test || caller.contains(&format!("run_tests(\"{name}\")")),
                "{name} is run by no test"
            );
        }
    }
}
