//! The lower tail of a beta distribution as a sum of positive terms, bounded from both sides.
//!
//! Why not a crate: `statrs` and `puruspe` compute `I_x(a, b)` from `ln_gamma` and a continued
//! fraction, without an error bound, and lose digits as the counts grow. A series of positive terms
//! cannot cancel, and its remainder is below a geometric series, so the sum brings its own error
//! bound.

use crate::certificate::numerics::nan_safe::{at_least, max_or_infinity};

/// Two numbers that enclose a sum, relative to its first term.
#[derive(Debug, Clone, Copy)]
pub(in crate::certificate) struct SeriesBounds {
    /// At or below the sum.
    pub(in crate::certificate) lower: f64,
    /// At or above the sum; infinite if no bound was reached.
    pub(in crate::certificate) upper: f64,
}

/// After this many terms the sum ends, and the bound on its remainder is used as it is.
const MAX_TERMS: u32 = 1 << 24;

/// `I_x(a, b) / T` with `T = Gamma(a + b) / (Gamma(a + 1) Gamma(b)) x^a y^(b - 1)` and `y = 1 - x`,
/// for `a > 0` and b a positive multiple of 1/2. The sum ends when the remainder is below
/// `tolerance` or 1e-15 of the sum.
///
/// While b > 1: `I_x(a, b) = T(a, b) + I_x(a + 1, b - 1)` (Abramowitz and Stegun 26.5.15). At b = 1
/// the tail is one term. At b = 1/2: `I_x(a, b) = y T(a, b) + I_x(a + 1, b)` (26.5.16).
///
/// Remainder: in the second expansion the ratios of terms are `x (a + b + k) / (a + 1 + k)`,
/// monotone in k with limit x. Hence `I_x(a, b) <= y T / (1 - max(x (a + b) / (a + 1), x))`.
pub(in crate::certificate) fn beta_tail_series(a: f64, b: f64, x: f64, y: f64, tolerance: f64) -> SeriesBounds {
    let (mut a, mut b) = (a, b);
    let mut term = 1.0_f64;
    let mut sum = 0.0_f64;
    let mut terms = 0_u32;
    // When b has decreased to 1/2, `term` is a term of the second expansion and includes y.
    let mut second = false;
    let remainder = loop {
        if b < 1.0 && !second {
            second = true;
            term *= y;
        }
        let ratio = max_or_infinity(x * (a + b) / (a + 1.0), x);
        let remainder = if ratio < 1.0 {
            term * if second { 1.0 } else { y } / (1.0 - ratio)
        } else {
            f64::INFINITY
        };
        if remainder <= at_least(tolerance, sum * 1e-15) || terms == MAX_TERMS {
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
    // Each term carries at most seven roundings more than the term before it; each addition carries
    // one.
    let roundings = (f64::from(terms) * 10.0 + 20.0) * f64::EPSILON;
    SeriesBounds {
        lower: (sum * (1.0 - roundings)).next_down(),
        upper: ((sum + remainder) * (1.0 + roundings)).next_up(),
    }
}
