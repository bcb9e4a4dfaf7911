//! The normal distribution function in fixed point. Each result has a proven bound on its error.
//!
//! There are two methods. The series at 0 ([`FixedPointNormal::at`]) is slow and works for any
//! `0 <= x < 10`. A Taylor polynomial around such a point ([`LocalPolynomial`]) gives the values
//! nearby for a few short multiplications.

use num_bigint::BigInt;

use super::fixed_point::{ExactFraction, density_at_zero};

/// The error of [`FixedPointNormal::at`] is below `2^SERIES_ERROR_BITS` ulp.
pub(super) const SERIES_ERROR_BITS: u32 = 88;

/// The maximum number of entries on each side of a [`LocalPolynomial`].
pub(super) const MAX_REACH: u32 = 32;

/// The maximum reach of a [`LocalPolynomial`] is 1/16 of the standard deviation.
pub(super) const REACH_PER_SCALE: f64 = 16.0;

/// Degree of a [`LocalPolynomial`].
const DEGREE: u32 = 24;

/// Fractional bits for which [`LOCAL_ERROR_BITS`] is derived.
pub(super) const LOCAL_BITS: u32 = 384;

/// The error of [`LocalPolynomial::cdf`] is below `2^-LOCAL_ERROR_BITS` with [`LOCAL_BITS`] bits.
pub(super) const LOCAL_ERROR_BITS: u32 = 140;

/// The standard normal distribution with a fixed number of fractional bits.
pub(super) struct FixedPointNormal {
    bits: u32,
    density_at_zero: BigInt,
}

/// The distribution function and the density at one point, in fixed point.
pub(super) struct CdfAndDensity {
    pub(super) cdf: BigInt,
    density: BigInt,
}

impl FixedPointNormal {
    /// `bits` fractional bits, at most 3072.
    pub(super) fn new(bits: u32) -> Self {
        Self {
            bits,
            density_at_zero: density_at_zero(bits),
        }
    }

    /// Phi and its density at `x`, for `0 <= x < 10`. `x` itself is rounded down by less than 1
    /// ulp.
    ///
    /// Formula, with `y = x^2 / 2` and `t_n = y^n / n!`: `phi(x) sqrt(2 pi) = sum (-1)^n t_n`,
    /// `(Phi(x) - 1/2) sqrt(2 pi) = x sum (-1)^n t_n / (2n + 1)`.
    ///
    /// Errors, in ulp: `y` has an error `dy <= 11` (`x` times 1, and the shift).
    /// `t_n = t_(n-1) y / n` adds below 2 (shift, division) and below `t_(n-1) dy / n`. An error at
    /// term m grows by at most `y^j / j!` until term m + j. The sum over all terms is at most
    /// `e^y (2N + 11)` for N terms. With `y < 50` and `N <= 2^12` (true up to 3072 bits) it is
    /// below 2^85.2. The divisions by 2n + 1 add below N. The omitted terms alternate and decrease:
    /// below 1. The products with `x < 10` and `1/sqrt(2 pi) < 0.4`, with errors of 2 ulp and 1 ulp
    /// for the latter and `x`, give a total below 2^87.2, so below `2^SERIES_ERROR_BITS`.
    pub(super) fn at(&self, x: &BigInt) -> CdfAndDensity {
        let y = (x * x) >> (self.bits + 1);
        let mut term = BigInt::from(1) << self.bits;
        let mut density = BigInt::ZERO;
        let mut integral = BigInt::ZERO;
        let mut n = 0_u32;
        // `term` first grows (up to e^50) and then decreases below 1 ulp. By then n > y, so the
        // omitted terms alternate and decrease.
        while term != BigInt::ZERO {
            let part = &term / (2 * n + 1);
            if n.is_multiple_of(2) {
                density += &term;
                integral += part;
            } else {
                density -= &term;
                integral -= part;
            }
            n += 1;
            term = ((term * &y) >> self.bits) / n;
        }
        let half = BigInt::from(1) << (self.bits - 1);
        let above = (x * integral) >> self.bits;
        CdfAndDensity {
            cdf: half + ((above * &self.density_at_zero) >> self.bits),
            density: (density * &self.density_at_zero) >> self.bits,
        }
    }
}

/// Phi near one entry of the table, as a polynomial in the distance from that entry.
pub(super) struct LocalPolynomial {
    /// Coefficients in fixed point, highest degree first.
    coefficients: Vec<BigInt>,
}

impl LocalPolynomial {
    /// The polynomial around the entry at `x` (below 10, rounded down), for entries up to `reach`
    /// away from it. `normal` must have [`LOCAL_BITS`] bits; `reach <= MAX_REACH` and
    /// `reach / scale <= 1/16`.
    ///
    /// With `h = 1 / scale` and `b_n = phi^(n)(x) h^n / n!`, from `phi' = -x phi`:
    /// `b_(n+1) = -(x h b_n + h^2 b_(n-1)) / (n + 1)`, and the coefficient of degree n is
    /// `h b_(n-1) / n`.
    ///
    /// Truncation error: `|Phi^(m)| <= 0.44 sqrt((m-1)!)` (Cramér's inequality for Hermite
    /// functions), so the remainder is below `16^-25 / sqrt(25!) < 2^-141`.
    ///
    /// Rounding error: `x h + h^2 < 0.63`, so each step shrinks the error of the `b_n` and adds
    /// below 8 ulp (12 ulp of `x h` times `b_n < 0.4`, `h^2`, shift, division). All errors stay
    /// within `2^88 + 22` ulp, and so do those of the coefficients. The evaluation is exact in
    /// integers, and multiplies the error of degree n by `reach^n <= 2^(5n)`: below
    /// `25 * 2^120 * 2^89 < 2^214` ulp, which is 2^-170 at 384 bits. Both errors together are below
    /// 2^-140.
    pub(super) fn new(normal: &FixedPointNormal, scale: ExactFraction, x: &BigInt, reach: u32) -> Self {
        let bits = normal.bits;
        let point = normal.at(x);
        let mut coefficients = vec![point.cdf];
        if reach > 0 {
            let h = scale.divide_half(2, bits);
            let drift = (x * &h) >> bits;
            let square = (&h * &h) >> bits;
            let mut before = BigInt::ZERO;
            let mut now = point.density;
            for n in 1..=DEGREE {
                coefficients.push(((&now * &h) >> bits) / n);
                let next = -((&drift * &now + &square * &before) >> bits) / n;
                before = std::mem::replace(&mut now, next);
            }
        }
        coefficients.reverse();
        Self { coefficients }
    }

    /// Phi at the entry `offset` away from the centre. The error is below `2^-LOCAL_ERROR_BITS`.
    pub(super) fn cdf(&self, offset: i64) -> BigInt {
        let mut value = BigInt::ZERO;
        for coefficient in &self.coefficients {
            value *= offset;
            value += coefficient;
        }
        value
    }
}
