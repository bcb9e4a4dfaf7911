//! The standard deviation of the noise.

use crate::certificate::error::CertificateError;
use crate::certificate::numerics::radius::Radius;

/// The standard deviation of the Gaussian noise, in the units of the float input. Positive and
/// finite.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Sigma(f64);

impl Sigma {
    /// Accepts a positive finite standard deviation.
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

    /// The standard deviation.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }

    /// `sigma width`, rounded down; [`Radius::NONE`] if the product overflows.
    pub(in crate::certificate) fn times_down(self, width: Radius) -> Radius {
        Radius::rounded_down(self.0 * width.get())
    }
}
