//! The configuration and the machine that produced a prediction.

use std::sync::Arc;

/// The configuration that produced a response: one snapshot, never a mixture of two.
#[derive(Debug, Clone, PartialEq)]
pub struct Provenance {
    /// SHA-256 of the active configuration, hexadecimal.
    pub config_revision: Arc<str>,
    /// Weight of the robust model where its margin is large enough for a certificate.
    pub alpha: f64,
    /// Weight of the robust model where its margin is smaller.
    pub fallback_alpha: f64,
    /// Temperature of the robust model.
    pub robust_temperature: f64,
    /// SHA-256 of the standard ONNX file, hexadecimal.
    pub standard_model_sha256: String,
    /// SHA-256 of the robust ONNX file, hexadecimal.
    pub robust_model_sha256: String,
    /// The machine and runtime, which may differ between replicas.
    pub environment: Arc<ComputeEnvironment>,
}

/// The machine and runtime. Settings and files do not determine them, and the last bits of a result
/// depend on them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComputeEnvironment {
    /// The maximum number of rows in one run of the standard model.
    pub standard_batch_size: usize,
    /// The maximum number of rows in one run of the robust model; for a smoothed model the exact
    /// number.
    pub robust_batch_size: usize,
    /// The build of ONNX Runtime.
    pub runtime_version: String,
    /// The processor model.
    pub processor: String,
}
