//! The lower tail of a beta distribution as a sum of positive terms, bounded from both sides.
//!
//! Why not a crate: `statrs` and `puruspe` compute `I_x(a, b)` from `ln_gamma` and a continued fraction, without an
//! error bound, and lose digits as the counts grow. A series of positive terms cannot cancel, its remainder
//! is below a geometric series, and so it is its own check.

use crate::certificate::numerics::nan_safe::{at_least, larger_upper};

/// A sum known to lie between two numbers, relative to its first term.
#[derive(Debug, Clone, Copy)]
pub(in crate::certificate) struct Series {
    /// Not above the sum.
    pub(in crate::certificate) lower: f64,
    /// Not below the sum; infinite if no bound was reached.
    pub(in crate::certificate) upper: f64,
}

/// After so many terms the remainder's bound is taken as it is.
const MOST_TERMS: u32 = 1 << 24;

/// `I_x(a, b) / T` with `T = Gamma(a + b) / (Gamma(a + 1) Gamma(b)) x^a y^(b - 1)` and `y = 1 - x`, for `a > 0` and b a
/// positive multiple of 1/2; summed until the remainder is below `tolerance` or 1e-15 of the sum.
///
/// While b > 1: `I_x(a, b) = T(a, b) + I_x(a + 1, b - 1)` (Abramowitz and Stegun 26.5.15). At b = 1 the tail is one term.
/// At b = 1/2: `I_x(a, b) = y T(a, b) + I_x(a + 1, b)` (26.5.16). Remainder: in the second expansion the ratios of
/// terms are `x (a + b + k) / (a + 1 + k)`, monotone in k with limit x, so
/// `I_x(a, b) <= y T / (1 - max(x (a + b) / (a + 1), x))`.
pub(in crate::certificate) fn series(a: f64, b: f64, x: f64, y: f64, tolerance: f64) -> Series {
    let (mut a, mut b) = (a, b);
    let mut term = 1.0_f64;
    let mut sum = 0.0_f64;
    let mut terms = 0_u32;
    // Once b has come down to 1/2, `term` is a term of the second expansion, y included.
    let mut second = false;
    let remainder = loop {
        if b < 1.0 && !second {
            second = true;
            term *= y;
        }
        let ratio = larger_upper(x * (a + b) / (a + 1.0), x);
        let remainder = if ratio < 1.0 {
            term * if second { 1.0 } else { y } / (1.0 - ratio)
        } else {
            f64::INFINITY
        };
        if remainder <= at_least(tolerance, sum * 1e-15) || terms == MOST_TERMS {
            break remainder;
        }
        sum += term;
        terms += 1;
        if (b - 1.0).abs() < 0.25 {
            break 0.0;
        }
        if second {
            term *= (a + b) / (a + 1.0) * x;
        } else {
            term *= (b - 1.0) / (a + 1.0) * (x / y);
            b -= 1.0;
        }
        a += 1.0;
    };
    // Each term carries at most seven roundings more than the one before it; each addition one.
    let roundings = (f64::from(terms) * 10.0 + 20.0) * f64::EPSILON;
    Series {
        lower: (sum * (1.0 - roundings)).next_down(),
        upper: ((sum + remainder) * (1.0 + roundings)).next_up(),
    }
}
