//! The normal distribution function and its quantile, rounded outward.
//!
//! `erfc` comes from `libm` and the quantile's first guess from `statrs`; neither promises a rounding direction,
//! so every candidate is checked against the tail with an allowance for `libm`'s error, and stepped
//! outward until the check holds.

use crate::certificate::numerics::nan_safe::{at_least, at_most};
use crate::certificate::numerics::probability::{LowerBound, Point, UpperBound};
use statrs::function::erf::erfc_inv;
use std::f64::consts::{FRAC_1_SQRT_2, PI, SQRT_2};

/// Which side of the exact value the answer must lie on.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Side {
    Below,
    Above,
}

/// Beyond this every tail is below the smallest float.
const FARTHEST: f64 = 40.0;

/// `Phi(x)`, never below the exact value, and within 1e-12 of it relative to the smaller of `Phi` and `1 - Phi`.
#[must_use]
pub fn cdf_upper(x: f64) -> UpperBound {
    if x.is_nan() {
        return UpperBound::NOTHING;
    }
    let side = if x > 0.0 { Side::Below } else { Side::Above };
    let small = tail(x.abs(), side);
    UpperBound::at(Point {
        small,
        upper_half: x > 0.0,
    })
}

/// `Phi(x)`, never above the exact value; otherwise as [`cdf_upper`].
#[must_use]
pub fn cdf_lower(x: f64) -> LowerBound {
    cdf_upper(-x).of_complement()
}

/// `Phi^-1(p)` of a lower bound, rounded down. A bound of exactly 1 counts as `1 - 2^-1074`, so the answer is
/// finite; a bound of 0 gives minus infinity.
#[must_use]
pub fn quantile_lower(p: LowerBound) -> f64 {
    let Point { small, upper_half } = p.point();
    if upper_half {
        distance(small, Side::Below)
    } else {
        -distance(small, Side::Above)
    }
}

/// `Phi^-1(p)` of an upper bound, rounded up; a bound of 1 gives infinity.
#[must_use]
pub fn quantile_upper(p: UpperBound) -> f64 {
    -quantile_lower(p.of_complement())
}

/// The density of the standard normal distribution, to within 1e-12 relative for `|x|` up to 30.
pub(in crate::certificate) fn density(x: f64) -> f64 {
    libm::exp(-x * x / 2.0) / (2.0 * PI).sqrt()
}

/// `P(Z > x)` for x >= 0, on the given side of the exact value; at most a half.
fn tail(x: f64, side: Side) -> f64 {
    // The argument is off by 1.5 roundings, which erfc magnifies by at most 2 t^2 + 1 = x^2 + 1; libm itself
    // is within one unit in the last place. Four times that is allowed for.
    let allowance = (x * x + 2.0) * 4.0 * f64::EPSILON;
    let computed = libm::erfc(x * FRAC_1_SQRT_2) / 2.0;
    match side {
        // The subnormal range has lost its digits: round to its ends.
        Side::Below if computed < f64::MIN_POSITIVE * 2.0 => 0.0,
        Side::Below => at_least(computed * (1.0 - allowance), 0.0),
        Side::Above if computed < f64::MIN_POSITIVE => f64::MIN_POSITIVE,
        Side::Above => at_most(computed * (1.0 + allowance), 0.5),
    }
}

/// The `x >= 0` with `P(Z > x) = small`, on the given side of the exact value. `small` is at most a half.
fn distance(small: f64, side: Side) -> f64 {
    if small >= 0.5 {
        return 0.0;
    }
    if small < 2.0 * f64::MIN_POSITIVE {
        // Too small to check. The tail at 37.5 is 4.6e-308 > 2 MIN_POSITIVE, and the exact answer for 2^-1074 is 38.4674...
        return match side {
            Side::Below => 37.5,
            Side::Above if small > 0.0 => 38.5,
            Side::Above => f64::INFINITY,
        };
    }
    let mut x = polished(small);
    // Step outward until the check holds. It always ends: the steps double.
    let mut step = x * 4.0 * f64::EPSILON;
    while !(0.0..=FARTHEST).contains(&x) || !on_side(x, small, side) {
        match side {
            Side::Below if x <= step => return 0.0,
            Side::Below => x -= step,
            Side::Above if x > FARTHEST => return f64::INFINITY,
            Side::Above => x += step,
        }
        step = at_least(step * 2.0, f64::MIN_POSITIVE);
    }
    x
}

/// Whether x certainly lies on that side of the exact answer.
fn on_side(x: f64, small: f64, side: Side) -> bool {
    if small > 0.25 {
        // Near the middle the tail says little; `1/2 - small` is exact and keeps all digits.
        let centre = 0.5 - small;
        let computed = libm::erf(x * FRAC_1_SQRT_2) / 2.0;
        let allowance = 8.0 * f64::EPSILON;
        return match side {
            Side::Below => computed * (1.0 + allowance) <= centre,
            Side::Above => computed * (1.0 - allowance) >= centre,
        };
    }
    match side {
        Side::Below => tail(x, Side::Below) >= small,
        Side::Above => tail(x, Side::Above) <= small,
    }
}

/// A guess with an error of a few units in the last place, not to be trusted.
fn polished(small: f64) -> f64 {
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
