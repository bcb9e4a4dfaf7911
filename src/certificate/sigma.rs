//! The scale of the noise.

use super::error::CertificateError;

/// The standard deviation of the Gaussian noise, in the units of the float input. Positive and finite.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Sigma(f64);

impl Sigma {
    /// Takes a positive finite standard deviation.
    ///
    /// # Errors
    /// [`CertificateError::Sigma`] otherwise.
    pub fn new(sigma: f64) -> Result<Self, CertificateError> {
        if sigma.is_finite() && sigma > 0.0 {
            Ok(Self(sigma))
        } else {
            Err(CertificateError::Sigma(sigma))
        }
    }

    /// The standard deviation itself.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }

    /// `sigma width`, rounded down, finite, and never below 0.
    pub(super) fn times_down(self, width: f64) -> f64 {
        let product = self.0 * width;
        if product > 0.0 {
            product.next_down().min(f64::MAX)
        } else {
            0.0
        }
    }
}
