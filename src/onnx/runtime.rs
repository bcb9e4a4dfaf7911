//! ONNX Runtime: one shared library and one environment for the whole process.

use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use ort::environment::Environment;

use super::{OnnxError, runtime_log};

static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
static LOAD_LOCK: Mutex<()> = Mutex::new(());

/// The loaded runtime.
#[derive(Debug, Clone)]
pub struct Runtime {
    pub(super) environment: Environment,
}

impl Runtime {
    /// Returns the git branch and commit of the loaded ONNX Runtime, from its build information.
    #[must_use]
    pub fn version(&self) -> String {
        branch_and_commit(ort::info())
    }

    /// Loads ONNX Runtime from `library`. Later calls return the same runtime: a process has only
    /// one.
    ///
    /// # Errors
    /// If the file does not exist or is not a compatible ONNX Runtime.
    pub fn load(library: &Path) -> Result<Self, OnnxError> {
        let _guard = LOAD_LOCK.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(environment) = ENVIRONMENT.get() {
            return Ok(Self {
                environment: environment.clone(),
            });
        }
        let unloadable = |reason: String| OnnxError::LoadRuntime {
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
            .with_logger(runtime_log::logger())
            .build()
            .map_err(|error| unloadable(error.to_string()))?;
        runtime_log::limit_messages(&environment);
        Ok(Self {
            environment: ENVIRONMENT.get_or_init(|| environment).clone(),
        })
    }
}

/// Extracts the branch and the commit from the build information:
/// `ORT Build Info: git-branch=rel-1.24.1, git-commit-id=6af1a93, …`.
fn branch_and_commit(info: &str) -> String {
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
    use super::branch_and_commit;

    #[test]
    fn the_version_is_the_branch_and_the_commit() {
        let info =
            "ORT Build Info: git-branch=rel-1.24.1, git-commit-id=6af1a93, build type=Release, cmake cxx flags: -O3";
        assert_eq!(branch_and_commit(info), "rel-1.24.1 6af1a93");
        assert_eq!(branch_and_commit("something else"), "something else");
    }
}
