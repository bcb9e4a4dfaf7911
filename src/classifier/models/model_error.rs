//! The reasons why a model cannot be served.

use thiserror::Error;

use crate::domain::Violations;
use crate::onnx::{BackendError, OnnxError};

/// The reason why a model cannot be served. Each message includes a remedy.
#[derive(Debug, Error)]
pub enum ModelError {
    /// A model file or ONNX Runtime cannot be loaded.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// A model does not run.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The guarantee cannot be implemented with noise.
    #[error("the manifest of the robust model: {0}")]
    Smoothing(String),
    /// A model does not compute a function of its input, so its classes and certificates have no
    /// meaning.
    #[error(
        "the self-test failed: the model {model}: {difference}\n  every prediction needs models that compute one function \
         of each row; {}export the model without operators that draw random numbers, or set \
         certificate.allow_inexact_runtime = true to serve certificates that carry this caveat",
        if *runs_on_gpu { "use runtime.provider = \"cpu\", " } else { "" }
    )]
    Inexact {
        /// The name of the model.
        model: String,
        /// The difference that was found.
        difference: String,
        /// Whether the model runs on a GPU, so that the CPU may be exact.
        runs_on_gpu: bool,
    },
    /// The output of a model for a row depends on the batch of the row, and the settings forbid
    /// such a model.
    #[error(
        "the output of the model {model} for a row may depend on the batch: {reason}\n  export the model so that each \
         row is computed by itself, or set runtime.require_row_independence = false to run it one row at a time"
    )]
    DependsOnBatch {
        /// The name of the model.
        model: String,
        /// The difference that was found.
        reason: String,
    },
    /// A model returns NaN or infinity for every input.
    #[error(
        "the model {model} returns NaN or infinity for each of {rows} different rows\n  it cannot classify any input: \
         check its weights; if it computes in float16, whose largest number is 65504, a layer may overflow: export that \
         layer in float32"
    )]
    NotFinite {
        /// The name of the model.
        model: String,
        /// The number of rows that were run.
        rows: usize,
    },
    /// A model returns rows that are not probabilities, although its manifest declares them.
    #[error(
        "output.kind: the manifest of the model {model} declares \"probabilities\", but {bad} of {rows} rows are not in \
         [0, 1] with the sum 1"
    )]
    NotProbabilities {
        /// The name of the model.
        model: String,
        /// The number of rows that are not probabilities.
        bad: usize,
        /// The number of rows that were run.
        rows: usize,
    },
}

impl ModelError {
    /// The violations of the settings, each with its key. `model_key` names the manifest.
    pub(super) fn violations(&self, model_key: &str) -> Violations {
        match self {
            Self::Onnx(error) => error.violations(model_key),
            other => Violations::one(model_key, other.to_string()),
        }
    }
}
