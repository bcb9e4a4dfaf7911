//! Probabilities that keep their digits near 0 and near 1.
//!
//! Near 1 an `f64` has too few digits: `1 - 1e-20` is 1. So a probability is stored as the smaller
//! of `p` and `1 - p`, which keeps all its digits.

use crate::certificate::numerics::nan_safe::{at_least, at_most};

/// An exact number in (0, 1): either `p` or `1 - p`, whichever is at most 1/2.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::certificate) struct Probability {
    /// `p` in the lower half, `1 - p` in the upper half; from 0 to 1/2.
    pub(in crate::certificate) small: f64,
    /// Whether `small` is the complement.
    pub(in crate::certificate) upper_half: bool,
}

impl Probability {
    /// The probability `p`, exactly, even where `1 - p` is not a float.
    pub(in crate::certificate) fn from_value(p: f64) -> Self {
        if p <= 0.5 {
            Self {
                small: p,
                upper_half: false,
            }
        } else {
            Self {
                // Exact for p of at least 1/2.
                small: 1.0 - p,
                upper_half: true,
            }
        }
    }

    /// The probability `1 - c`.
    pub(in crate::certificate) fn from_complement(c: f64) -> Self {
        Self::from_value(c).mirrored()
    }

    /// The probability with log-odds `u`, to within rounding.
    pub(in crate::certificate) fn from_log_odds(u: f64) -> Self {
        let odds = libm::exp(-u.abs());
        Self {
            small: at_most(odds / (1.0 + odds), 0.5),
            upper_half: u > 0.0,
        }
    }

    /// The probability `1 - p`.
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

    /// The probability moved towards 0 by about `step`, relative to the smaller of `p` and `1 - p`.
    pub(in crate::certificate) fn lowered(self, step: f64) -> Self {
        if self.upper_half {
            Self::from_complement(at_most((self.small * (1.0 + step)).next_up(), 1.0))
        } else {
            Self::from_value(at_least((self.small * (1.0 - step)).next_down(), 0.0))
        }
    }
}
