//! Why models cannot be served: each says what to do.

use std::path::PathBuf;

use thiserror::Error;

use crate::domain::Violations;

/// Why a model, or the runtime, cannot be used. All are found at start.
#[derive(Debug, Error)]
pub enum OnnxError {
    /// The shared library is missing or is not ONNX Runtime.
    #[error(
        "cannot load ONNX Runtime from {}: {reason}\n  runtime.library must name libonnxruntime.so 1.24 or later; \
         `make runtime` fetches it", path.display()
    )]
    Library {
        /// Where it was looked for.
        path: PathBuf,
        /// What the loader says.
        reason: String,
    },
    /// A file could not be read.
    #[error("cannot read {what} {}: {reason}", path.display())]
    Unreadable {
        /// The manifest or the ONNX file.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// What the operating system says.
        reason: String,
    },
    /// The manifest is not what it should be.
    #[error("invalid manifest {}:\n{violations}", path.display())]
    Manifest {
        /// Which.
        path: PathBuf,
        /// Each with its key.
        violations: Violations,
    },
    /// The ONNX file is not the one that the manifest speaks of.
    #[error(
        "{} has SHA-256 {found}, but its manifest {} says {expected}\n  restore the file that the manifest speaks of, \
         or examine the new one and write a manifest for it", file.display(), manifest.display()
    )]
    Checksum {
        /// The ONNX file.
        file: PathBuf,
        /// Its manifest.
        manifest: PathBuf,
        /// In the manifest.
        expected: String,
        /// Of the file.
        found: String,
    },
    /// The file is no ONNX model.
    #[error("{} is no ONNX model: {reason}", file.display())]
    NoModel {
        /// The ONNX file.
        file: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The file is not the whole model.
    #[error(
        "{} keeps the tensor \"{tensor}\" in another file (\"{location}\"), which the manifest's sha256 does not speak of: whoever \
         changes that file changes the model, unseen\n  save the model with all weights inside: \
         onnx.save(onnx.load(path), path, save_as_external_data=False), and put the new SHA-256 into the manifest", file.display()
    )]
    ExternalData {
        /// The ONNX file.
        file: PathBuf,
        /// The first such tensor; empty if it has no name.
        tensor: String,
        /// Where it lies, as the file says it.
        location: String,
    },
    /// The model answers at random, or otherwise while it is trained.
    #[error(
        "{} is no function of its input: {reason}\n  export the model for inference, in evaluation mode, without random operators",
        file.display()
    )]
    NoFunction {
        /// The ONNX file.
        file: PathBuf,
        /// Which node, and what it does.
        reason: String,
    },
    /// The record of a proof contradicts its manifest, or is broken.
    #[error(
        "the record of the proof {}: {reason}\n  make it anew with `certimix_models prove --sign`, or remove it: the \
         constant is then served as claimed, not as proven", path.display()
    )]
    Proof {
        /// The record.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// ONNX Runtime refuses the file.
    #[error("ONNX Runtime cannot load {}: {reason}", file.display())]
    Load {
        /// The ONNX file.
        file: PathBuf,
        /// What the runtime says.
        reason: String,
    },
    /// CUDA was asked for by name and does not load.
    #[error(
        "runtime.provider = \"cuda\", but the CUDA execution provider does not load: {reason}\n  it needs an NVIDIA \
         driver, CUDA 13 with cuDNN 9 and cuBLAS on the library path, and runtime.library from PyPI's onnxruntime-gpu \
         with libonnxruntime_providers_cuda.so beside it; set runtime.provider to \"cpu\" to serve without a GPU"
    )]
    Cuda {
        /// What the runtime says.
        reason: String,
    },
    /// The model is not what its manifest says.
    #[error("{} is not what its manifest says:\n{violations}", file.display())]
    Mismatch {
        /// The ONNX file.
        file: PathBuf,
        /// Each with the manifest's key.
        violations: Violations,
    },
    /// The two models of a pair do not fit together.
    #[error("the standard and the robust model do not fit together:\n{0}")]
    Pair(Violations),
}
