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
