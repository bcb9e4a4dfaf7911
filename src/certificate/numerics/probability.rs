//! Probabilities that keep their digits near 0 and near 1, and bounds on them.
//!
//! Near 1 an `f64` has no digits left: `1 - 1e-20` is 1. So a bound carries its complement beside it, and the
//! smaller of the two numbers, the one with all its digits, is what the bound says.

use crate::certificate::error::CertificateError;
use crate::certificate::numerics::nan_safe::{at_least, at_most};

/// An exact point of (0, 1): either `p` or `1 - p`, whichever is at most a half.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::certificate) struct Point {
    /// `p` in the lower half, `1 - p` in the upper half; from 0 to 1/2.
    pub(in crate::certificate) small: f64,
    /// Whether `small` is the complement.
    pub(in crate::certificate) upper_half: bool,
}

impl Point {
    /// The point `p`, exactly, where `1 - p` need not be a float.
    pub(in crate::certificate) fn from_value(p: f64) -> Self {
        if p <= 0.5 {
            Self {
                small: p,
                upper_half: false,
            }
        } else {
            // Exact for p of at least 1/2.
            Self {
                small: 1.0 - p,
                upper_half: true,
            }
        }
    }

    /// The point `1 - c`.
    pub(in crate::certificate) fn from_complement(c: f64) -> Self {
        Self::from_value(c).mirrored()
    }

    /// The point with log-odds `u`, to within rounding.
    pub(in crate::certificate) fn from_log_odds(u: f64) -> Self {
        let odds = libm::exp(-u.abs());
        Self {
            small: at_most(odds / (1.0 + odds), 0.5),
            upper_half: u > 0.0,
        }
    }

    /// The point `1 - p`.
    pub(in crate::certificate) fn mirrored(self) -> Self {
        if self.small >= 0.5 {
            self
        } else {
            Self {
                small: self.small,
                upper_half: !self.upper_half,
            }
        }
    }

    /// `p`, correctly rounded.
    pub(in crate::certificate) fn value(self) -> f64 {
        if self.upper_half { 1.0 - self.small } else { self.small }
    }

    /// `1 - p`, correctly rounded.
    pub(in crate::certificate) fn complement(self) -> f64 {
        if self.upper_half { self.small } else { 1.0 - self.small }
    }

    /// The point moved towards 0 by about `step`, relative to the smaller of `p` and `1 - p`.
    pub(in crate::certificate) fn lowered(self, step: f64) -> Self {
        if self.upper_half {
            Self::from_complement(at_most((self.small * (1.0 + step)).next_up(), 1.0))
        } else {
            Self::from_value(at_least((self.small * (1.0 - step)).next_down(), 0.0))
        }
    }
}

/// `1 - x` for x in [0, 1/2], rounded down.
fn one_minus_down(x: f64) -> f64 {
    let d = 1.0 - x;
    // `1 - d` is exact, so the comparison tells on which side the rounding went.
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

/// "The probability is at least this." Range: 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LowerBound {
    value: f64,
    complement: f64,
}

impl LowerBound {
    /// The bound that says nothing.
    pub const NOTHING: Self = Self {
        value: 0.0,
        complement: 1.0,
    };

    /// `p >= value`.
    ///
    /// # Errors
    /// [`CertificateError::Probability`] outside 0 to 1.
    pub fn from_value(value: f64) -> Result<Self, CertificateError> {
        checked(value).map(|p| Self::at(Point::from_value(p)))
    }

    /// `1 - p <= complement`: for bounds so near 1 that only their complement has digits.
    ///
    /// # Errors
    /// [`CertificateError::Probability`] outside 0 to 1.
    pub fn from_complement(complement: f64) -> Result<Self, CertificateError> {
        checked(complement).map(|c| Self::at(Point::from_complement(c)))
    }

    pub(in crate::certificate) fn at(point: Point) -> Self {
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

    pub(in crate::certificate) fn point(self) -> Point {
        if self.complement < 0.5 {
            Point {
                small: self.complement,
                upper_half: true,
            }
        } else {
            Point::from_value(self.value)
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

    /// The larger, so the stronger, of two bounds.
    #[must_use]
    pub fn stronger(self, other: Self) -> Self {
        let larger = if self.value >= 0.5 && other.value >= 0.5 {
            other.complement < self.complement
        } else {
            other.value > self.value
        };
        if larger { other } else { self }
    }

    /// The same number read as an upper bound: for guesses that no soundness rests on.
    pub(in crate::certificate) fn as_upper(self) -> UpperBound {
        UpperBound::at(self.point())
    }

    /// "p is at least b" read as "1 - p is at most 1 - b".
    #[must_use]
    pub fn of_complement(self) -> UpperBound {
        UpperBound {
            value: self.complement,
            complement: self.value,
        }
    }
}

/// "The probability is at most this." Range: 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UpperBound {
    value: f64,
    complement: f64,
}

impl UpperBound {
    /// The bound that says nothing.
    pub const NOTHING: Self = Self {
        value: 1.0,
        complement: 0.0,
    };

    /// `p <= value`.
    ///
    /// # Errors
    /// [`CertificateError::Probability`] outside 0 to 1.
    pub fn from_value(value: f64) -> Result<Self, CertificateError> {
        LowerBound::from_complement(value).map(LowerBound::of_complement)
    }

    /// `1 - p >= complement`: for bounds so near 1 that only their complement has digits.
    ///
    /// # Errors
    /// [`CertificateError::Probability`] outside 0 to 1.
    pub fn from_complement(complement: f64) -> Result<Self, CertificateError> {
        LowerBound::from_value(complement).map(LowerBound::of_complement)
    }

    pub(in crate::certificate) fn at(point: Point) -> Self {
        LowerBound::at(point.mirrored()).of_complement()
    }

    pub(in crate::certificate) fn point(self) -> Point {
        self.of_complement().point().mirrored()
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

    /// The same number read as a lower bound: for a value that a test showed to be exceeded.
    pub(in crate::certificate) fn as_lower(self) -> LowerBound {
        LowerBound::at(self.point())
    }

    /// The smaller, so the stronger, of two bounds.
    #[must_use]
    pub fn stronger(self, other: Self) -> Self {
        self.of_complement().stronger(other.of_complement()).of_complement()
    }

    /// "p is at most b" read as "1 - p is at least 1 - b".
    #[must_use]
    pub fn of_complement(self) -> LowerBound {
        LowerBound {
            value: self.complement,
            complement: self.value,
        }
    }
}
