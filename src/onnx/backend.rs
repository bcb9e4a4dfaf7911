//! What the scheduler needs of a model: rows in, rows out.

use thiserror::Error;

use super::{Agreement, Halt};

/// Runs rows of one model. Owned by one thread.
pub trait Backend: Send + 'static {
    /// Values in one input row.
    fn input_len(&self) -> usize;

    /// Values in one output row.
    fn output_len(&self) -> usize;

    /// Rows in one run, at most.
    fn max_batch_size(&self) -> usize;

    /// Whether a run of fewer rows costs as much as a full one, because it is padded.
    fn pads(&self) -> bool;

    /// When two outputs of the same row count as the same: what the self-test and the audit compare by.
    fn agreement(&self) -> Agreement {
        Agreement::Bits
    }

    /// Whether each output row should be probabilities.
    fn answers_probabilities(&self) -> bool {
        false
    }

    /// Runs `rows` rows: `input` holds `rows * input_len` values, and `output` takes `rows * output_len`. A run may end
    /// early once `halt` is asked for.
    ///
    /// # Errors
    /// If the runtime fails, or answers something of another shape, or the run was halted.
    fn run(&mut self, rows: usize, input: &[f32], output: &mut Vec<f32>, halt: &Halt) -> Result<(), BackendError>;

    /// Runs rows that have worked before, and compares their outputs with what they were: tells a broken backend from an input
    /// that the model cannot take.
    ///
    /// # Errors
    /// If the run fails or the output differs.
    fn probe(&mut self) -> Result<(), BackendError>;

    /// Another backend of the same model, opened anew and probed, to take the place of this one.
    ///
    /// # Errors
    /// If it does not open, or its probe fails.
    fn reopen(&self) -> Result<Self, BackendError>
    where
        Self: Sized;
}

/// A run without outputs.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BackendError {
    /// The runtime failed, or the output has another shape.
    #[error("the model {model} failed: {reason}")]
    Failed {
        /// Name of the model.
        model: String,
        /// What the runtime says: for logs, not for callers.
        reason: String,
    },
    /// It was ended because nobody waits for it any more.
    #[error("the run was halted")]
    Halted,
}
