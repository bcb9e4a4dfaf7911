//! The normal distribution function and its quantile, rounded outward.
//!
//! `erfc` comes from `libm` and the first guess of the quantile from `statrs`. Neither crate
//! guarantees a rounding direction, so this module checks every candidate against the tail with an
//! allowance for `libm`'s error, and steps it outward until the check holds.

use crate::certificate::numerics::directed_probability::{LowerBound, UpperBound};
use crate::certificate::numerics::nan_safe::{at_least, at_most};
use crate::certificate::numerics::probability::Probability;
use statrs::function::erf::erfc_inv;
use std::f64::consts::{FRAC_1_SQRT_2, PI, SQRT_2};

/// The side of the exact value on which a result must lie.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Rounding {
    Down,
    Up,
}

/// Beyond this quantile every tail is below the smallest float.
const MAX_QUANTILE: f64 = 40.0;

/// `Phi(x)`, at or above the exact value, within 1e-12 relative to the smaller of `Phi` and
/// `1 - Phi`.
#[must_use]
pub fn cdf_upper(x: f64) -> UpperBound {
    if x.is_nan() {
        return UpperBound::TRIVIAL;
    }
    let rounding = if x > 0.0 { Rounding::Down } else { Rounding::Up };
    let small = upper_tail(x.abs(), rounding);
    UpperBound::new(Probability {
        small,
        upper_half: x > 0.0,
    })
}

/// `Phi(x)`, at or below the exact value; otherwise as [`cdf_upper`].
#[must_use]
pub fn cdf_lower(x: f64) -> LowerBound {
    cdf_upper(-x).of_complement()
}

/// `Phi^-1(p)` of a lower bound, rounded down. A bound of exactly 1 counts as `1 - 2^-1074`, so the
/// result is finite; a bound of 0 gives minus infinity.
#[must_use]
pub fn quantile_lower(p: LowerBound) -> f64 {
    let Probability { small, upper_half } = p.probability();
    if upper_half {
        upper_tail_quantile(small, Rounding::Down)
    } else {
        -upper_tail_quantile(small, Rounding::Up)
    }
}

/// `Phi^-1(p)` of an upper bound, rounded up. A bound of 1 gives infinity.
#[must_use]
pub fn quantile_upper(p: UpperBound) -> f64 {
    -quantile_lower(p.of_complement())
}

/// The density of the standard normal distribution, within 1e-12 relative for `|x|` up to 30.
pub(in crate::certificate) fn density(x: f64) -> f64 {
    libm::exp(-x * x / 2.0) / (2.0 * PI).sqrt()
}

/// `P(Z > x)` for x >= 0, at most 1/2, rounded in the given direction.
fn upper_tail(x: f64, rounding: Rounding) -> f64 {
    // The argument is off by 1.5 roundings, which erfc magnifies by at most 2 t^2 + 1 = x^2 + 1.
    // The error of libm is within one unit in the last place. The allowance is four times their
    // sum.
    let allowance = (x * x + 2.0) * 4.0 * f64::EPSILON;
    let computed = libm::erfc(x * FRAC_1_SQRT_2) / 2.0;
    match rounding {
        // Subnormal numbers have lost digits: round to the ends of their range.
        Rounding::Down if computed < f64::MIN_POSITIVE * 2.0 => 0.0,
        Rounding::Down => at_least(computed * (1.0 - allowance), 0.0),
        Rounding::Up if computed < f64::MIN_POSITIVE => f64::MIN_POSITIVE,
        Rounding::Up => at_most(computed * (1.0 + allowance), 0.5),
    }
}

/// The `x >= 0` with `P(Z > x) = small`, rounded in the given direction. `small` is at most 1/2.
fn upper_tail_quantile(small: f64, rounding: Rounding) -> f64 {
    if small >= 0.5 {
        return 0.0;
    }
    if small < 2.0 * f64::MIN_POSITIVE {
        // Too small to check. The tail at 37.5 is 4.6e-308 > 2 MIN_POSITIVE, and the exact quantile
        // for 2^-1074 is 38.4674...
        return match rounding {
            Rounding::Down => 37.5,
            Rounding::Up if small > 0.0 => 38.5,
            Rounding::Up => f64::INFINITY,
        };
    }
    let mut x = newton_guess(small);
    // Step outward until the check holds. The loop always ends, because the steps double.
    let mut step = x * 4.0 * f64::EPSILON;
    while !(0.0..=MAX_QUANTILE).contains(&x) || !is_on_side(x, small, rounding) {
        match rounding {
            Rounding::Down if x <= step => return 0.0,
            Rounding::Down => x -= step,
            Rounding::Up if x > MAX_QUANTILE => return f64::INFINITY,
            Rounding::Up => x += step,
        }
        step = at_least(step * 2.0, f64::MIN_POSITIVE);
    }
    x
}

/// Whether x certainly lies on the required side of the exact quantile.
fn is_on_side(x: f64, small: f64, rounding: Rounding) -> bool {
    if small > 0.25 {
        // Near the middle the tail has few digits; `1/2 - small` is exact and keeps them all.
        let centre = 0.5 - small;
        let computed = libm::erf(x * FRAC_1_SQRT_2) / 2.0;
        let allowance = 8.0 * f64::EPSILON;
        return match rounding {
            Rounding::Down => computed * (1.0 + allowance) <= centre,
            Rounding::Up => computed * (1.0 - allowance) >= centre,
        };
    }
    match rounding {
        Rounding::Down => upper_tail(x, Rounding::Down) >= small,
        Rounding::Up => upper_tail(x, Rounding::Up) <= small,
    }
}

/// A guess with an error of a few units in the last place. Callers must check it.
fn newton_guess(small: f64) -> f64 {
    let mut x = SQRT_2 * erfc_inv(2.0 * small);
    for _ in 0..2 {
        let excess = if small > 0.25 {
            (0.5 - small) - libm::erf(x * FRAC_1_SQRT_2) / 2.0
        } else {
            libm::erfc(x * FRAC_1_SQRT_2) / 2.0 - small
        };
        let step = excess / density(x);
        if step.is_finite() {
            x += step;
        }
    }
    x
}
