//! The remainder of Stirling's formula for `ln Gamma`, at integers and half-integers.
//!
//! Why not a crate's `ln_gamma`: at a million votes it is near 1e7, so its last digit is worth
//! 1e-9, and bounds on `1 - p` lose the required accuracy. With Stirling's leading terms removed
//! analytically the remainders are below 1, and their last digit is worth 1e-16. The leading terms
//! combine into a relative entropy (see `divergence.rs`).

use crate::certificate::numerics::value_with_error::ValueWithError;
use std::f64::consts::PI;

/// From here on the series is accurate to 2e-16; below, the product is short.
const SERIES_FROM: f64 = 16.0;

/// `ln Gamma(n + 1) - [n ln n - n + ln(2 pi n) / 2]` for integer n >= 1: near `1/(12 n)`.
pub(in crate::certificate) fn remainder_at_integer(n: f64) -> ValueWithError {
    if n >= SERIES_FROM {
        // The series is enveloping: the error is below the first omitted term, 691 / (360360 n^11).
        let i = 1.0 / (n * n);
        let value = (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - (1.0 / 1680.0 - i / 1188.0) * i) * i) * i) / n;
        return ValueWithError { value, error: 5e-16 };
    }
    let mut factorial = 1.0;
    let mut k = 2.0;
    while k <= n {
        factorial *= k;
        k += 1.0;
    }
    // At most 15! and 15 ln 15: magnitudes below 45, with a handful of roundings.
    let value = libm::log(factorial) - (n * libm::log(n) - n + libm::log(2.0 * PI * n) / 2.0);
    ValueWithError { value, error: 4e-14 }
}

/// `ln Gamma(n + 1/2) - [n ln n - n + ln(2 pi) / 2]` for integer n >= 0: near `-1/(24 n)`;
/// `-ln(2)/2` at 0.
pub(in crate::certificate) fn remainder_at_half_integer(n: f64) -> ValueWithError {
    if n >= SERIES_FROM {
        // The terms are B_2k(1/2) / (2k (2k - 1) n^(2k - 1)); the first omitted term is below
        // 2e-16.
        let i = 1.0 / (n * n);
        let value = (-1.0 / 24.0
            + (7.0 / 2880.0 - (31.0 / 40320.0 - (127.0 / 215_040.0 - 511.0 / 608_256.0 * i) * i) * i) * i)
            / n;
        return ValueWithError { value, error: 5e-16 };
    }
    // `Gamma(n + 1/2) / sqrt(pi) = (1/2) (3/2) ... (n - 1/2)`, and
    // `ln(sqrt pi) - ln(2 pi)/2 = -ln(2)/2`.
    let mut product = 1.0;
    let mut k = 0.5;
    while k < n {
        product *= k;
        k += 1.0;
    }
    let leading = if n > 0.0 { n * libm::log(n) - n } else { 0.0 };
    let value = libm::log(product) - leading - std::f64::consts::LN_2 / 2.0;
    ValueWithError { value, error: 4e-14 }
}
