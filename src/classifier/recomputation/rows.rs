//! Answers from one row of each model.

use super::answer::RecomputedAnswer;
use crate::certificate::{
    Alpha, CertificateError, MixingWeights, Temperature, argmax, mixed_logits, probability_margin,
};
use crate::classifier::prediction::certificate_completion::RadiusLimit;
use crate::classifier::prediction::evaluated_models::EvaluatedModels;
use crate::classifier::prediction::lipschitz;
use crate::classifier::prediction::unavailability::can_certify;
use crate::settings::MixtureSettings;

/// The rows of both models for one input, and what depends on no mixture.
pub struct RecordedRows<'a> {
    models: &'a EvaluatedModels,
    standard: &'a [f32],
    robust: &'a [f32],
    /// `ln g`, K values.
    standard_log_probs: Vec<f64>,
    limit: RadiusLimit,
}

impl<'a> RecordedRows<'a> {
    /// The rows `standard` and `robust` as the models returned them, K values each.
    #[must_use]
    pub fn new(models: &'a EvaluatedModels, standard: &'a [f32], robust: &'a [f32]) -> Self {
        Self {
            models,
            standard,
            robust,
            standard_log_probs: lipschitz::log_probs(models.output_kinds.standard, standard, Temperature::ONE),
            limit: RadiusLimit::new(&models.spec, models.guarantee.norm()),
        }
    }

    /// The class that the standard model alone predicts.
    #[must_use]
    pub fn standard_class(&self) -> usize {
        argmax(&self.standard_log_probs).unwrap_or(0)
    }

    /// The answer of the server with `mixture`.
    ///
    /// # Errors
    /// Returns the errors of the mathematics. The manifest was validated, so none is expected.
    pub fn answer(&self, mixture: &MixtureSettings) -> Result<RecomputedAnswer, CertificateError> {
        let prediction = self.models.predict_from_rows(self.standard, self.robust, mixture)?;
        Ok(RecomputedAnswer::of_row(&prediction))
    }

    /// The parts of the answers with this temperature that depend on no weight.
    #[must_use]
    pub fn at_temperature(&self, temperature: Temperature) -> RowsAtTemperature<'_> {
        let log_probs = lipschitz::log_probs(self.models.output_kinds.robust, self.robust, temperature);
        RowsAtTemperature {
            rows: self,
            temperature,
            margin: probability_margin(&log_probs),
            robust_class: argmax(&log_probs).unwrap_or(0),
            log_probs,
        }
    }
}

/// The parts of the answers with one temperature that depend on no weight.
///
/// The certified class, or else the class at the selected weight, is the class of
/// [`RecordedRows::answer`].
pub struct RowsAtTemperature<'a> {
    rows: &'a RecordedRows<'a>,
    temperature: Temperature,
    /// `ln h`, K values.
    log_probs: Vec<f64>,
    margin: f64,
    robust_class: usize,
}

impl RowsAtTemperature<'_> {
    /// The class that the robust model alone predicts. A certificate is about this class.
    #[must_use]
    pub fn robust_class(&self) -> usize {
        self.robust_class
    }

    /// The certified radius, in the units of the float input; `None` if nothing is certified.
    ///
    /// # Errors
    /// As for [`RecordedRows::answer`].
    pub fn certified_radius(&self, alpha: Alpha) -> Result<Option<f64>, CertificateError> {
        let RecordedRows {
            models, robust, limit, ..
        } = self.rows;
        if !can_certify(&models.guarantee, alpha) {
            return Ok(None);
        }
        let kind = models.output_kinds.robust;
        let radius = lipschitz::radius_of_row(&models.guarantee, kind, robust, alpha, self.temperature)?;
        Ok(radius.and_then(|(radius, _)| Some(limit.certified(radius)?.radius)))
    }

    /// The weight of an answer without a certificate.
    #[must_use]
    pub fn uncertified_weight(&self, weights: MixingWeights) -> Alpha {
        weights.weight(weights.rule_for_margin(self.margin))
    }

    /// The class of an answer without a certificate whose weight is `weight`.
    #[must_use]
    pub fn class_at_weight(&self, weight: Alpha) -> usize {
        let mixed = mixed_logits(weight, &self.rows.standard_log_probs, &self.log_probs);
        argmax(&mixed).unwrap_or(0)
    }
}
