//! The mixing weight.

use crate::certificate::error::CertificateError;
use crate::certificate::numerics::dot_product::dot_upper;

/// `alpha`, the weight of the robust network: `f = ln((1 - alpha) g + alpha h)`.
///
/// Paper: Bai, Anderson and Sojoudi, arXiv 2311.15165, Eq. 4. Range: 0 to 1, both included.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Alpha(f64);

impl Alpha {
    /// Accepts a weight from 0 to 1.
    ///
    /// # Errors
    /// [`CertificateError::Alpha`] outside that range, and for NaN.
    pub fn new(alpha: f64) -> Result<Self, CertificateError> {
        if (0.0..=1.0).contains(&alpha) {
            // Adding zero turns -0.0 into 0.0, so that equal weights print alike.
            Ok(Self(alpha + 0.0))
        } else {
            Err(CertificateError::Alpha(alpha))
        }
    }

    /// The weight.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }

    /// `mu = (1 - alpha) / alpha`, rounded up: the margin `h_y - h_i` that makes `y` the answer
    /// whatever `g` returns (Lemma 1). It is infinite at alpha = 0, and above 1, so out of reach,
    /// below alpha = 1/2.
    #[must_use]
    pub fn margin_needed(self) -> f64 {
        if self.0 >= 1.0 {
            return 0.0;
        }
        if self.0 <= 0.0 {
            return f64::INFINITY;
        }
        (dot_upper(&[(1.0, 1.0), (-1.0, self.0)]) / self.0).next_up()
    }

    /// Whether a certificate can exist: alpha is above 1/2. At exactly 1/2 Lemma 1 needs a margin
    /// of 1, which no ball keeps, so the radius is 0.
    #[must_use]
    pub fn can_certify(self) -> bool {
        self.0 > 0.5
    }
}
