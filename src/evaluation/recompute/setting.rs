//! One setting of the mixture and of its certificates.

use crate::certificate::{Alpha, CertificateError, FailureProbability, MixingWeights, RadiusMethod, Temperature};
use crate::evaluation::record::EvaluationHeader;
use crate::settings::MixtureSettings;

/// Everything that an answer depends on beside the outputs of the models, and that can be changed
/// without another evaluation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setting {
    /// alpha, `fallback_alpha` and the temperature of the robust model.
    pub mixture: MixtureSettings,
    /// The formula from bounds to a radius; it has an effect for a smoothed model only.
    pub radius_method: RadiusMethod,
    /// The failure probability of a certificate; it has an effect for a smoothed model only.
    pub failure_probability: FailureProbability,
}

impl Setting {
    /// The setting that was in force when the records were made.
    #[must_use]
    pub fn in_force(header: &EvaluationHeader) -> Self {
        Self {
            mixture: header.settings.mixture,
            radius_method: header.settings.radius_method,
            failure_probability: header.settings.failure_probability,
        }
    }

    /// This setting with another mixture.
    ///
    /// # Errors
    /// [`CertificateError`] for a weight or a temperature out of range, or a `fallback_alpha` above
    /// alpha.
    pub fn with_mixture(
        self,
        alpha: f64,
        fallback_alpha: f64,
        robust_temperature: f64,
    ) -> Result<Self, CertificateError> {
        Ok(Self {
            mixture: MixtureSettings {
                weights: MixingWeights::new(Alpha::new(alpha)?, Alpha::new(fallback_alpha)?)?,
                robust_temperature: Temperature::new(robust_temperature)?,
            },
            ..self
        })
    }

    /// The weight of the robust model where its margin is large enough.
    #[must_use]
    pub fn alpha(&self) -> f64 {
        self.mixture.weights.alpha().get()
    }

    /// The weight of the robust model elsewhere.
    #[must_use]
    pub fn fallback_alpha(&self) -> f64 {
        self.mixture.weights.fallback_alpha().get()
    }

    /// The temperature of the robust model.
    #[must_use]
    pub fn robust_temperature(&self) -> f64 {
        self.mixture.robust_temperature.get()
    }
}
