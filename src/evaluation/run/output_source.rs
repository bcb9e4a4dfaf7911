//! A source of the outputs of both models.

use crate::domain::ModelOutputs;
use crate::evaluation::dataset::LabelledInput;
use crate::evaluation::record::SamplingConditions;

/// The outputs of both models for one input, and what a record holds beside them.
#[derive(Debug, Clone, PartialEq)]
pub struct InputOutputs {
    /// The outputs.
    pub outputs: ModelOutputs,
    /// The deduction from the radius because the input moves to the grid; 0 for a row.
    pub snapping_loss: f64,
    /// The key of the noise of the votes, if the source chose it.
    pub noise_key: Option<[u8; 32]>,
    /// The time of the models, in seconds.
    pub seconds: f64,
}

/// Computes the outputs of both models. One thread owns a source, and many run at the same time.
pub trait OutputSource: Send {
    /// The most inputs that the source takes at once, at least 1.
    fn batch_inputs(&self, sampling: Option<&SamplingConditions>) -> usize;

    /// Computes the outputs of each input, in their order. The result of one input may hold the reason
    /// why it has none.
    ///
    /// # Errors
    /// The reason why the source works on no input any more.
    fn outputs(
        &mut self,
        sampling: Option<&SamplingConditions>,
        inputs: &[&LabelledInput],
    ) -> Result<Vec<Result<InputOutputs, String>>, String>;
}
