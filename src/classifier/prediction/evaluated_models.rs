//! The properties of a pair of models that a prediction from recorded outputs needs.

use super::lipschitz;
use super::mixing::mix;
use crate::certificate::{CertificateError, Temperature};
use crate::domain::{InputSpec, ModelGuarantee, PerRole, Prediction};
use crate::onnx::OutputKind;
use crate::settings::MixtureSettings;

/// The properties of the models that a prediction from recorded outputs needs. They are a copy,
/// because the models may be replaced, or absent, when the outputs are evaluated.
#[derive(Debug, Clone)]
pub struct EvaluatedModels {
    /// The guarantee of the robust model.
    pub guarantee: ModelGuarantee,
    /// The meaning of the rows of both models.
    pub output_kinds: PerRole<OutputKind>,
    /// The input of both models.
    pub spec: InputSpec,
    /// The number of classes.
    pub classes: usize,
}

impl EvaluatedModels {
    /// Returns exactly the prediction that the server gives with `mixture` for these outputs of both
    /// models, one row each.
    ///
    /// # Errors
    /// Returns the errors of the mathematics. The manifest was validated, so none is expected.
    pub(in crate::classifier) fn predict_from_rows(
        &self,
        standard: &[f32],
        robust: &[f32],
        mixture: &MixtureSettings,
    ) -> Result<Prediction, CertificateError> {
        let standard = lipschitz::log_probs(self.output_kinds.standard, standard, Temperature::ONE);
        let robust = lipschitz::certify(&self.guarantee, self.output_kinds.robust, robust, &self.spec, mixture)?;
        Ok(mix(mixture.weights, standard, robust))
    }
}
