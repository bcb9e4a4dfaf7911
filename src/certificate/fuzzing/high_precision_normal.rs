//! The smoothed radii computed directly in 300 binary digits, for the fuzz target.
//!
//! `Phi(x) = 1/2 + phi(x) (x + x^3/3 + x^5/(3 5) + ...)` (Abramowitz and Stegun 26.2.11): all terms
//! have the same sign. Quantiles come from Newton's method. Tails below [`LEAST`] are left to the
//! tables, because the sum loses them.

use std::sync::LazyLock;

use super::high_precision_lipschitz::{HighPrecision, high_precision, slack};
use crate::certificate::{Alpha, LowerBound, Sigma, UpperBound, normal};
use dashu_float::ops::SquareRoot as _;

/// The smallest tail that is compared.
const LEAST: f64 = 1e-40;

/// `sqrt(2 pi)`, with pi from Machin's formula.
static ROOT_OF_TWO_PI: LazyLock<HighPrecision> = LazyLock::new(|| {
    let arctan_of_inverse = |n: f64| {
        let square = high_precision(n * n);
        let (mut power, mut sum, mut k) = (high_precision(1.0) / high_precision(n), high_precision(0.0), 0_u32);
        while power > high_precision(2.0_f64.powi(-320)) {
            let term = &power / high_precision(f64::from(2 * k + 1));
            sum = if k.is_multiple_of(2) { sum + term } else { sum - term };
            power /= &square;
            k += 1;
        }
        sum
    };
    let pi = high_precision(16.0) * arctan_of_inverse(5.0) - high_precision(4.0) * arctan_of_inverse(239.0);
    (high_precision(2.0) * pi).sqrt()
});

fn density(x: &HighPrecision) -> HighPrecision {
    let square = x * x;
    let power = if square == HighPrecision::ZERO {
        high_precision(1.0)
    } else {
        (-(square / high_precision(2.0))).exp()
    };
    power / &*ROOT_OF_TWO_PI
}

/// `Phi(x)`.
fn distribution(x: &HighPrecision) -> HighPrecision {
    let size = if *x < HighPrecision::ZERO {
        -x.clone()
    } else {
        x.clone()
    };
    let square = &size * &size;
    let (mut term, mut sum, mut odd) = (size.clone(), size, 1.0);
    while term > &sum * high_precision(2.0_f64.powi(-310)) {
        odd += 2.0;
        term = term * &square / high_precision(odd);
        sum += &term;
    }
    let beyond = density(x) * sum;
    if *x < HighPrecision::ZERO {
        high_precision(0.5) - beyond
    } else {
        high_precision(0.5) + beyond
    }
}

/// `Phi^-1(p)`, from a start with about ten correct digits.
fn quantile(p: &HighPrecision, start: f64) -> HighPrecision {
    let mut x = high_precision(start);
    for _ in 0..6 {
        x = &x - (distribution(&x) - p) / density(&x);
    }
    x
}

/// The exact value of a bound; `None` if one of its tails is too small to compare.
fn exact(value: f64, complement: f64) -> Option<HighPrecision> {
    if value.min(complement) < LEAST {
        return None;
    }
    Some(if complement < 0.5 {
        high_precision(1.0) - high_precision(complement)
    } else {
        high_precision(value)
    })
}

/// The exact values of two bounds.
fn both(lower: LowerBound, upper: UpperBound) -> Option<(HighPrecision, HighPrecision)> {
    Some((
        exact(lower.value(), lower.complement())?,
        exact(upper.value(), upper.complement())?,
    ))
}

/// An approximation of `Phi^-1` for a probability with this value and complement.
fn near(value: f64, complement: f64) -> f64 {
    let bound = if complement < 0.5 {
        LowerBound::from_complement(complement)
    } else {
        LowerBound::from_value(value)
    };
    normal::quantile_lower(bound.unwrap())
}

/// Whether `Phi(Phi^-1(p_lower) - r/sigma) - Phi(Phi^-1(p_upper) + r/sigma) >= (1 - alpha)/alpha`
/// holds at `radius`, with `p_upper` at most `1 - p_lower`; `None` if the case is not compared.
pub(crate) fn tight_allows(
    alpha: Alpha,
    sigma: Sigma,
    lower: LowerBound,
    upper: UpperBound,
    radius: f64,
) -> Option<bool> {
    let upper = upper.stronger(lower.of_complement());
    let (class, other) = both(lower, upper)?;
    let class = quantile(&class, near(lower.value(), lower.complement()));
    let other = quantile(&other, near(upper.value(), upper.complement()));
    let width = high_precision(radius) / high_precision(sigma.get());
    if width > high_precision(20.0) {
        return None;
    }
    let margin = distribution(&(&class - &width)) - distribution(&(&other + &width));
    let needed = (high_precision(1.0) - high_precision(alpha.get())) / high_precision(alpha.get());
    Some(needed <= &margin + slack(&margin))
}

/// Whether `radius` is at most
/// `sigma/2 (Phi^-1(alpha p_lower) - Phi^-1(alpha p_upper + 1 - alpha))`; `None` if the case is not
/// compared.
pub(crate) fn theorem2_allows(
    alpha: Alpha,
    sigma: Sigma,
    lower: LowerBound,
    upper: UpperBound,
    radius: f64,
) -> Option<bool> {
    let upper = upper.stronger(lower.of_complement());
    let (class, other) = both(lower, upper)?;
    let a = alpha.get();
    let class_start = near(a * lower.value(), (1.0 - a) + a * lower.complement());
    let other_start = near(a * upper.value() + (1.0 - a), a * upper.complement());
    let (weight, one) = (high_precision(a), high_precision(1.0));
    let class = quantile(&(&weight * class), class_start);
    let other = quantile(&(&weight * other + &one - &weight), other_start);
    let exact = high_precision(sigma.get()) / high_precision(2.0) * (class - other);
    Some(high_precision(radius) <= &exact + slack(&exact) * high_precision(sigma.get()))
}

/// Against the tables' 60 digits: `Phi(1)`, and its quantile.
#[test]
fn the_high_precision_normal_matches_known_values() {
    let one = distribution(&high_precision(1.0));
    let off = &one - high_precision(0.841_344_746_068_542_9);
    assert!(off < high_precision(1e-16) && off > high_precision(-1e-16));
    let back = quantile(&one, 0.999) - high_precision(1.0);
    assert!(back < high_precision(2.0_f64.powi(-280)) && back > high_precision(-(2.0_f64.powi(-280))));
}
