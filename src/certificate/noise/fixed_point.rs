//! Fixed-point numbers with many bits, and the two constants that the normal distribution needs.
//!
//! A number `a` with `bits` fractional bits is the integer nearest below or above `a * 2^bits`. One
//! unit of that integer is called an "ulp" here. Why not a library: MPFR would bring a C build, and
//! the pure-Rust arbitrary-precision floats state no bound on the error of `erf`. Integers need no
//! trust beyond `num-bigint`.

use num_bigint::{BigInt, BigUint};

/// Extra bits during the computation of a constant; the errors use far fewer.
const GUARD: u32 = 64;

/// `arctan(1 / n)` with `bits` fractional bits, by its series. Each of its terms (fewer than
/// `bits`) has an error below 2 ulp.
fn arctan_inverse(n: u32, bits: u32) -> BigInt {
    let mut power = (BigInt::from(1) << bits) / n;
    let square = n * n;
    let mut sum = BigInt::ZERO;
    let mut odd = 1_u32;
    while power != BigInt::ZERO {
        let term = &power / odd;
        if odd % 4 == 1 {
            sum += term;
        } else {
            sum -= term;
        }
        power /= square;
        odd += 2;
    }
    sum
}

/// Pi with `bits` fractional bits, by Machin's formula `16 arctan(1/5) - 4 arctan(1/239)`.
///
/// The error is below `40 * bits` ulp: 20 arctangents with errors of `2 * bits`.
pub(super) fn pi(bits: u32) -> BigInt {
    arctan_inverse(5, bits) * 16 - arctan_inverse(239, bits) * 4
}

/// `1 / sqrt(2 pi)`, the normal density at 0, with `bits` fractional bits. The error is below 2 ulp
/// for `bits <= 2^16`.
///
/// Let P be pi at `bits + 64` bits, with an error below 2^22 ulp. The root of
/// `2^(3 (bits + 64)) / 2P` then has a relative error below 2^22 ulp as well. Dropping the 64 guard
/// bits leaves the floor, and an error of 2^-42 ulp.
pub(super) fn density_at_zero(bits: u32) -> BigInt {
    let wide = bits + GUARD;
    let pi = pi(wide).into_parts().1;
    let root = ((BigUint::from(1_u32) << (3 * wide)) / (pi * 2_u32)).sqrt();
    BigInt::from(root >> GUARD)
}

/// A positive normal f64 as an exact fraction: `mantissa * 2^exponent`.
#[derive(Debug, Clone, Copy)]
pub(super) struct ExactFraction {
    mantissa: u64,
    exponent: i32,
}

impl ExactFraction {
    /// The fraction equal to `value`. `value` must be positive and normal, as every valid scale is.
    pub(super) fn new(value: f64) -> Self {
        let bits = value.to_bits();
        let mantissa = (bits & ((1 << 52) - 1)) | (1 << 52);
        let biased = u16::try_from(bits >> 52).unwrap_or(u16::MAX);
        Self {
            mantissa,
            exponent: i32::from(biased) - 1075,
        }
    }

    /// `numerator / (2 * self)` with `bits` fractional bits, rounded down. The error is below 1
    /// ulp.
    ///
    /// Scales are at most 2^15, so `exponent <= -37`, and the shift is positive.
    pub(super) fn divide_half(self, numerator: u64, bits: u32) -> BigInt {
        let shift = i64::from(bits) - i64::from(self.exponent) - 1;
        (BigInt::from(numerator) << shift) / self.mantissa
    }
}
