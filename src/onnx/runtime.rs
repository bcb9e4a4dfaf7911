//! ONNX Runtime itself: one shared library and one environment for the whole process.

use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use ort::environment::Environment;

use super::OnnxError;

static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
static LOADING: Mutex<()> = Mutex::new(());

/// The loaded runtime.
#[derive(Debug, Clone)]
pub struct Runtime {
    pub(super) environment: Environment,
}

impl Runtime {
    /// Which build of ONNX Runtime is loaded, as it says itself: its branch and its git commit.
    #[must_use]
    pub fn version(&self) -> String {
        build(ort::info())
    }

    /// Loads ONNX Runtime from `library`. Only the first call loads: a process has one runtime.
    ///
    /// # Errors
    /// If the file is not there or is not a fitting ONNX Runtime.
    pub fn load(library: &Path) -> Result<Self, OnnxError> {
        let _one_at_a_time = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(environment) = ENVIRONMENT.get() {
            return Ok(Self {
                environment: environment.clone(),
            });
        }
        let unloadable = |reason: String| OnnxError::Library {
            path: library.to_path_buf(),
            reason,
        };
        if !library.is_file() {
            return Err(unloadable("there is no such file".to_owned()));
        }
        let builder = ort::init_from(library).map_err(|error| unloadable(error.to_string()))?;
        let environment = builder
            .with_name("certimix")
            .with_telemetry(false)
            .build()
            .map_err(|error| unloadable(error.to_string()))?;
        Ok(Self {
            environment: ENVIRONMENT.get_or_init(|| environment).clone(),
        })
    }
}

/// What tells builds apart in ONNX Runtime's own words: `ORT Build Info: git-branch=rel-1.24.1, git-commit-id=6af1a93, …`.
fn build(info: &str) -> String {
    let field = |name: &str| {
        let mut parts = info.trim_start_matches("ORT Build Info:").split(',');
        parts.find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
    };
    match (field("git-branch"), field("git-commit-id")) {
        (Some(branch), Some(commit)) => format!("{branch} {commit}"),
        _ => info.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::build;

    #[test]
    fn a_build_is_its_branch_and_its_commit() {
        let info =
            "ORT Build Info: git-branch=rel-1.24.1, git-commit-id=6af1a93, build type=Release, cmake cxx flags: -O3";
        assert_eq!(build(info), "rel-1.24.1 6af1a93");
        assert_eq!(build("something else"), "something else");
    }
}
