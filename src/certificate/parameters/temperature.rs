//! The softmax temperature of the robust network.

use crate::certificate::error::CertificateError;

/// `T` in `h = softmax(z / T)`. Positive and finite; 1 changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Temperature(f64);

impl Temperature {
    /// No scaling.
    pub const ONE: Self = Self(1.0);

    /// Accepts a positive finite temperature.
    ///
    /// # Errors
    /// [`CertificateError::Temperature`] otherwise.
    pub fn new(temperature: f64) -> Result<Self, CertificateError> {
        if temperature.is_finite() && temperature > 0.0 {
            Ok(Self(temperature))
        } else {
            Err(CertificateError::Temperature(temperature))
        }
    }

    /// The temperature.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}
