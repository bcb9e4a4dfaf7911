//! What the scheduler needs of a model: rows in, rows out.

use thiserror::Error;

/// Runs rows of one model. Owned by one thread.
pub trait Backend: Send + 'static {
    /// Values in one input row.
    fn input_len(&self) -> usize;

    /// Values in one output row.
    fn output_len(&self) -> usize;

    /// Rows in one run, at most.
    fn max_batch_size(&self) -> usize;

    /// Runs `rows` rows: `input` holds `rows * input_len` values, and `output` takes `rows * output_len`.
    ///
    /// # Errors
    /// If the runtime fails, or answers something of another shape.
    fn run(&mut self, rows: usize, input: &[f32], output: &mut Vec<f32>) -> Result<(), BackendError>;
}

/// A run that failed.
#[derive(Debug, Clone, Error)]
#[error("the model {model} failed: {reason}")]
pub struct BackendError {
    /// Name of the model.
    pub model: String,
    /// What the runtime says: for logs, not for callers.
    pub reason: String,
}
