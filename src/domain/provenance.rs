//! The configuration and the machine behind an answer.

use std::sync::Arc;

/// The configuration that answered a request: one snapshot, never mixed.
#[derive(Debug, Clone, PartialEq)]
pub struct Provenance {
    /// SHA-256 of the configuration in force, hexadecimal.
    pub config_revision: Arc<str>,
    /// Weight of the robust model.
    pub alpha: f64,
    /// Temperature of the robust model.
    pub robust_temperature: f64,
    /// SHA-256 of the standard ONNX file, hexadecimal.
    pub standard_model_sha256: String,
    /// SHA-256 of the robust ONNX file, hexadecimal.
    pub robust_model_sha256: String,
    /// What computes, which a replica may have another of.
    pub environment: Arc<ComputeEnvironment>,
}

/// What computes: what the settings and the files do not say, and what the last bits of an answer depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComputeEnvironment {
    /// Rows in one run of the standard model, at most.
    pub standard_batch_size: usize,
    /// Rows in one run of the robust model, at most; of a smoothed one exactly.
    pub robust_batch_size: usize,
    /// ONNX Runtime's build.
    pub runtime_version: String,
    /// The kind of the processor.
    pub processor: String,
}
