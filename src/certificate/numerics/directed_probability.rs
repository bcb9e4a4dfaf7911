//! Lower and upper bounds on a probability.
//!
//! Each bound carries its complement beside its value, and the smaller of the two, which keeps all
//! its digits, defines the bound.

use crate::certificate::error::CertificateError;
use crate::certificate::numerics::probability::Probability;

/// `1 - x` for x in [0, 1/2], rounded down.
fn one_minus_down(x: f64) -> f64 {
    let d = 1.0 - x;
    // `1 - d` is exact, so the comparison shows the direction of the rounding.
    if 1.0 - d < x { d.next_down() } else { d }
}

/// `1 - x` for x in [0, 1/2], rounded up.
fn one_minus_up(x: f64) -> f64 {
    let d = 1.0 - x;
    if 1.0 - d > x { d.next_up() } else { d }
}

fn checked(p: f64) -> Result<f64, CertificateError> {
    // Adding zero turns -0.0 into 0.0.
    if (0.0..=1.0).contains(&p) {
        Ok(p + 0.0)
    } else {
        Err(CertificateError::Probability(p))
    }
}

/// A lower bound on a probability. Range: 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LowerBound {
    value: f64,
    complement: f64,
}

impl LowerBound {
    /// The trivial bound 0.
    pub const TRIVIAL: Self = Self {
        value: 0.0,
        complement: 1.0,
    };

    /// The bound `p >= value`.
    ///
    /// # Errors
    /// [`CertificateError::Probability`] outside 0 to 1.
    pub fn from_value(value: f64) -> Result<Self, CertificateError> {
        checked(value).map(|p| Self::new(Probability::from_value(p)))
    }

    /// The bound `1 - p <= complement`, for bounds so near 1 that only their complement has digits.
    ///
    /// # Errors
    /// [`CertificateError::Probability`] outside 0 to 1.
    pub fn from_complement(complement: f64) -> Result<Self, CertificateError> {
        checked(complement).map(|c| Self::new(Probability::from_complement(c)))
    }

    pub(in crate::certificate) fn new(point: Probability) -> Self {
        if point.upper_half {
            Self {
                value: one_minus_down(point.small),
                complement: point.small,
            }
        } else {
            Self {
                value: point.small,
                complement: one_minus_up(point.small),
            }
        }
    }

    pub(in crate::certificate) fn probability(self) -> Probability {
        if self.complement < 0.5 {
            Probability {
                small: self.complement,
                upper_half: true,
            }
        } else {
            Probability::from_value(self.value)
        }
    }

    /// The bound, rounded down.
    #[must_use]
    pub fn value(self) -> f64 {
        self.value
    }

    /// One minus the bound, rounded up.
    #[must_use]
    pub fn complement(self) -> f64 {
        self.complement
    }

    /// The larger, and so the stronger, of two bounds.
    #[must_use]
    pub fn stronger(self, other: Self) -> Self {
        let larger = if self.value >= 0.5 && other.value >= 0.5 {
            other.complement < self.complement
        } else {
            other.value > self.value
        };
        if larger { other } else { self }
    }

    /// The same number as an upper bound, for guesses that no soundness depends on.
    pub(in crate::certificate) fn as_upper(self) -> UpperBound {
        UpperBound::new(self.probability())
    }

    /// The bound "p is at least b" as "1 - p is at most 1 - b".
    #[must_use]
    pub fn of_complement(self) -> UpperBound {
        UpperBound {
            value: self.complement,
            complement: self.value,
        }
    }
}

/// An upper bound on a probability. Range: 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UpperBound {
    value: f64,
    complement: f64,
}

impl UpperBound {
    /// The trivial bound 1.
    pub const TRIVIAL: Self = Self {
        value: 1.0,
        complement: 0.0,
    };

    /// The bound `p <= value`.
    ///
    /// # Errors
    /// [`CertificateError::Probability`] outside 0 to 1.
    pub fn from_value(value: f64) -> Result<Self, CertificateError> {
        LowerBound::from_complement(value).map(LowerBound::of_complement)
    }

    /// The bound `1 - p >= complement`, for bounds so near 1 that only their complement has digits.
    ///
    /// # Errors
    /// [`CertificateError::Probability`] outside 0 to 1.
    pub fn from_complement(complement: f64) -> Result<Self, CertificateError> {
        LowerBound::from_value(complement).map(LowerBound::of_complement)
    }

    pub(in crate::certificate) fn new(point: Probability) -> Self {
        LowerBound::new(point.mirrored()).of_complement()
    }

    pub(in crate::certificate) fn probability(self) -> Probability {
        self.of_complement().probability().mirrored()
    }

    /// The bound, rounded up.
    #[must_use]
    pub fn value(self) -> f64 {
        self.value
    }

    /// One minus the bound, rounded down.
    #[must_use]
    pub fn complement(self) -> f64 {
        self.complement
    }

    /// The same number as a lower bound, for a value that a test has shown to be exceeded.
    pub(in crate::certificate) fn as_lower(self) -> LowerBound {
        LowerBound::new(self.probability())
    }

    /// The smaller, and so the stronger, of two bounds.
    #[must_use]
    pub fn stronger(self, other: Self) -> Self {
        self.of_complement().stronger(other.of_complement()).of_complement()
    }

    /// The bound "p is at most b" as "1 - p is at least 1 - b".
    #[must_use]
    pub fn of_complement(self) -> LowerBound {
        LowerBound {
            value: self.complement,
            complement: self.value,
        }
    }
}
