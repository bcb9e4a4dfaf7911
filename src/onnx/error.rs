//! The reasons why models cannot be served. Each message includes a remedy.

use std::path::PathBuf;

use thiserror::Error;

use crate::domain::{Violation, Violations};

/// The reason why a model or ONNX Runtime cannot be used. The start of the server, or a reload,
/// detects all of them.
#[derive(Debug, Error)]
pub enum OnnxError {
    /// The shared library is missing or is not ONNX Runtime.
    #[error(
        "cannot load ONNX Runtime from {}: {reason}\n  runtime.library must name libonnxruntime.so 1.24 or later; \
         `make runtime` fetches it", path.display()
    )]
    LoadRuntime {
        /// The path of the library.
        path: PathBuf,
        /// The message of the loader.
        reason: String,
    },
    /// A file cannot be read.
    #[error("cannot read {file_kind} {}: {reason}", path.display())]
    Unreadable {
        /// The kind of file: the manifest, the ONNX file or the proof record.
        file_kind: &'static str,
        /// The path of the file.
        path: PathBuf,
        /// The message of the operating system.
        reason: String,
    },
    /// The manifest has invalid values.
    #[error("invalid manifest {}:\n{violations}", path.display())]
    InvalidManifest {
        /// The path of the manifest.
        path: PathBuf,
        /// The violations, each with its key.
        violations: Violations,
    },
    /// The ONNX file is not the one that the manifest describes.
    #[error(
        "{} has SHA-256 {found}, but its manifest {} expects {expected}\n  restore the file that the manifest \
         describes, or examine the new one and write a manifest for it", file.display(), manifest.display()
    )]
    ChecksumMismatch {
        /// The ONNX file.
        file: PathBuf,
        /// Its manifest.
        manifest: PathBuf,
        /// The checksum in the manifest.
        expected: String,
        /// The checksum of the file.
        found: String,
    },
    /// The file is not an ONNX model.
    #[error("{} is not an ONNX model: {reason}", file.display())]
    InvalidModel {
        /// The ONNX file.
        file: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The file does not contain the whole model.
    #[error(
        "{shown} stores the tensor \"{tensor}\" in another file (\"{location}\"), which the manifest's sha256 does not \
         cover: a change of that file would change the model undetected\n  save the model with all weights inside: \
         python3 -c \"import onnx; onnx.save(onnx.load('{shown}'), '{shown}', save_as_external_data=False)\"\n  and put the new \
         SHA-256 into the manifest",
        shown = file.display()
    )]
    ExternalData {
        /// The ONNX file.
        file: PathBuf,
        /// The first such tensor; empty if it has no name.
        tensor: String,
        /// The location that the file records.
        location: String,
    },
    /// The output of the model is random, or the model runs in training mode.
    #[error(
        "{} is not a function of its input: {reason}\n  export the model for inference, in evaluation mode, without \
         random operators",
        file.display()
    )]
    Nondeterministic {
        /// The ONNX file.
        file: PathBuf,
        /// The node and the problem.
        reason: String,
    },
    /// The proof record contradicts its manifest, or is invalid.
    #[error(
        "the proof record {}: {reason}\n  create it again with `certimix_models prove --sign`, or remove it: the \
         constant then counts as claimed, not as proven", path.display()
    )]
    InvalidProofRecord {
        /// The path of the record.
        path: PathBuf,
        /// The problem.
        reason: String,
    },
    /// ONNX Runtime rejects the file.
    #[error("ONNX Runtime cannot load {}: {reason}", file.display())]
    LoadModel {
        /// The ONNX file.
        file: PathBuf,
        /// The message of the runtime.
        reason: String,
    },
    /// The settings name CUDA, and it does not load.
    #[error(
        "runtime.provider = \"cuda\", but the CUDA execution provider does not load: {reason}\n  it needs an NVIDIA \
         driver, CUDA 13 with cuDNN 9 and cuBLAS on the library path, and runtime.library from PyPI's onnxruntime-gpu \
         with libonnxruntime_providers_cuda.so beside it; set runtime.provider to \"cpu\" to serve without a GPU"
    )]
    CudaUnavailable {
        /// The message of the runtime.
        reason: String,
    },
    /// The model differs from its manifest.
    #[error("{} does not match its manifest:\n{violations}", file.display())]
    ManifestMismatch {
        /// The ONNX file.
        file: PathBuf,
        /// The differences, each with the key of the manifest.
        violations: Violations,
    },
    /// The two models of a pair have different inputs or classes.
    #[error("the standard and the robust model do not fit together:\n{0}")]
    IncompatiblePair(Violations),
}

impl OnnxError {
    /// The violations of the settings. `model_key` is the key that names the manifest. A violation
    /// inside a file states the file and the field.
    #[must_use]
    pub fn violations(&self, model_key: &str) -> Violations {
        let (place, inner) = match self {
            Self::InvalidManifest { path, violations } => (format!("invalid manifest {}", path.display()), violations),
            Self::ManifestMismatch { file, violations } => {
                (format!("{} does not match its manifest", file.display()), violations)
            }
            Self::IncompatiblePair(violations) => (
                "the standard and the robust model do not fit together".to_owned(),
                violations,
            ),
            Self::LoadRuntime { .. } => return Violations::one("runtime.library", self.to_string()),
            Self::CudaUnavailable { .. } => return Violations::one("runtime.provider", self.to_string()),
            other => return Violations::one(model_key, other.to_string()),
        };
        let outer = |inner: &Violation| Violation {
            field: model_key.to_owned(),
            message: format!("{place}: {}: {}", inner.field, inner.message),
        };
        Violations(inner.0.iter().map(outer).collect())
    }
}
