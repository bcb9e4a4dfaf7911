//! The interface between the scheduler and a model: rows in, rows out.

use thiserror::Error;

use super::{Cancellation, OutputTolerance};

/// Runs rows of one model. One thread owns it.
pub trait Backend: Send + 'static {
    /// The number of values in an input row.
    fn input_len(&self) -> usize;

    /// The number of values in an output row.
    fn output_len(&self) -> usize;

    /// The most rows in one run.
    fn max_batch_size(&self) -> usize;

    /// Whether each run is padded to the full batch, so that fewer rows cost the same.
    fn pads_batches(&self) -> bool;

    /// The tolerance with which the self-test and the audit compare two outputs of the same row.
    fn output_tolerance(&self) -> OutputTolerance {
        OutputTolerance::BitExact
    }

    /// Whether each output row should consist of probabilities.
    fn outputs_probabilities(&self) -> bool {
        false
    }

    /// Whether a run computes on the thread that calls it, so that the processor time of the thread is
    /// the time that the run needs.
    fn runs_on_calling_thread(&self) -> bool {
        false
    }

    /// Runs `rows` rows. `input` holds `rows * input_len` values; `output` receives
    /// `rows * output_len` values. A run may end early once `cancellation` has no waiter left.
    ///
    /// # Errors
    /// If the runtime fails, if the output has another shape, or if the run is cancelled.
    fn run(
        &mut self,
        rows: usize,
        input: &[f32],
        output: &mut Vec<f32>,
        cancellation: &Cancellation,
    ) -> Result<(), BackendError>;

    /// Repeats rows that have run before, and compares their outputs with the earlier ones. The
    /// result distinguishes a broken backend from an input that the model cannot process.
    ///
    /// # Errors
    /// If the run fails or the output differs.
    fn probe(&mut self) -> Result<(), BackendError>;

    /// Opens and probes another backend of the same model, to replace this one.
    ///
    /// # Errors
    /// If the backend does not open, or its probe fails.
    fn reopen(&self) -> Result<Self, BackendError>
    where
        Self: Sized;
}

/// The reason why a run has no output.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BackendError {
    /// The runtime failed, or the output has another shape.
    #[error("the model {model} failed: {reason}")]
    Failed {
        /// The name of the model.
        model: String,
        /// The message of the runtime, for logs and not for callers.
        reason: String,
    },
    /// No caller waits for the run any more.
    #[error("the run was cancelled")]
    Cancelled,
}
