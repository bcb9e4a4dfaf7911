//! The probability that a statistical certificate is false.

use crate::certificate::error::CertificateError;

/// The probability, over the server's own noise, that a statistical bound is false. Formulas call
/// it delta, and nothing calls it alpha.
///
/// Range: strictly between 0 and 1. Values down to 1e-300 are useful.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct FailureProbability(f64);

impl FailureProbability {
    /// Accepts a probability strictly between 0 and 1.
    ///
    /// # Errors
    /// [`CertificateError::FailureProbability`] outside that range, for NaN, and below `2^-1021`
    /// (4.5e-308), whose half is subnormal and so loses its digits.
    pub fn new(probability: f64) -> Result<Self, CertificateError> {
        if (probability / 2.0).is_normal() && probability > 0.0 && probability < 1.0 {
            Ok(Self(probability))
        } else {
            Err(CertificateError::FailureProbability(probability))
        }
    }

    /// The probability.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }

    /// Half of the probability, for each of two bounds from the same votes (union bound).
    #[must_use]
    pub fn half(self) -> Self {
        // Exact, because `new` ensures that the half is a normal number.
        Self(self.0 / 2.0)
    }

    /// `ln(1 / delta)`, never below the exact value.
    pub(in crate::certificate) fn log_inverse_upper(self) -> f64 {
        // `ln` is within one unit in the last place; two steps exceed that.
        (-libm::log(self.0)).next_up().next_up()
    }
}
