//! The options of every ONNX Runtime session.

use std::path::Path;

use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

use super::{OnnxError, Runtime};

/// Returns a builder of sessions of the ONNX file `file`, on the CPU.
///
/// Each session has one thread and does not spin. Several sessions are faster than one with many
/// threads, and the runtime would size its pools by the host instead of the cgroup.
///
/// # Errors
/// If ONNX Runtime rejects an option.
pub(super) fn session_builder(runtime: &Runtime, file: &Path) -> Result<SessionBuilder, OnnxError> {
    let configured = || -> ort::Result<SessionBuilder> {
        Ok(Session::builder(&runtime.environment)?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_intra_threads(1)?
            .with_inter_threads(1)?
            .with_intra_op_spinning(false)?
            .with_inter_op_spinning(false)?
            .with_deterministic_compute(true)?)
    };
    configured().map_err(|error| OnnxError::LoadModel {
        file: file.to_path_buf(),
        reason: error.to_string(),
    })
}
