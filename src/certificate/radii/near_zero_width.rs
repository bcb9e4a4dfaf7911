//! Radii near zero, where the difference of quantiles cancels.
//!
//! `Phi^-1(p) - Phi^-1(q)` has no correct digits if p and q agree in most of theirs, although
//! `p - q` itself is available to the last digit (`dot_product.rs`). This module derives a second
//! lower bound on the same width from that difference.

use crate::certificate::numerics::directed_probability::{LowerBound, UpperBound};
use crate::certificate::numerics::dot_product::dot_lower;
use crate::certificate::numerics::normal::density;
use crate::certificate::numerics::probability::Probability;

/// Above this width the quantiles themselves are accurate to 1e-9.
const MAX_WIDTH: f64 = 1e-3;

/// `alpha p_lower - alpha p_upper - (1 - alpha)`, rounded down, exact to the last digits even where
/// it cancels.
pub(in crate::certificate) fn scaled_excess(alpha: f64, p_lower: LowerBound, p_upper: UpperBound) -> f64 {
    let [class_one, class_small] = weighted(alpha, p_lower.probability());
    let [other_one, other_small] = weighted(-alpha, p_upper.probability());
    // alpha - 1 is exact for alpha from 1/2 to 1.
    dot_lower(&[class_one, other_one, class_small, other_small, (1.0, alpha - 1.0)])
}

/// `weight p` as two products.
fn weighted(weight: f64, p: Probability) -> [(f64, f64); 2] {
    if p.upper_half {
        [(weight, 1.0), (-weight, p.small)]
    } else {
        [(weight, p.small), (0.0, 0.0)]
    }
}

/// A width w, rounded down, such that the integral over s from 0 to w of
/// `phi(class - s) + phi(runner_up + s)` is at most `excess`. A ball of radius `w sigma` lowers the
/// difference of two smoothed probabilities with these quantiles by at most this integral. The
/// result is 0 unless the width is small.
///
/// Over an interval of width w centred at m the density averages at most
/// `phi(m) (1 + 0.0453 m^2 w^2)` while `m w <= 2`. This follows from
/// `phi(m + h) + phi(m - h) <= 2 phi(m) cosh(m h)` and `cosh z <= 1 + 0.5431 z^2` for z up to 1.
/// The quantiles may be approximate: the allowance covers the effect of their last digits on the
/// density.
pub(in crate::certificate) fn near_zero_width(excess: f64, class: f64, runner_up: f64) -> f64 {
    let loss_rate = |w: f64| {
        let average = |m: f64| density(m) * (1.0 + 0.0453 * m * m * w * w);
        (average(class - w / 2.0) + average(runner_up + w / 2.0)) * (1.0 + 1e-11)
    };
    let mut w = excess / loss_rate(0.0);
    for _ in 0..4 {
        if !(0.0..MAX_WIDTH).contains(&w) {
            return 0.0;
        }
        w = excess / loss_rate(w);
    }
    w *= 1.0 - 1e-12;
    // The iteration contracts by about |m| w. These steps lower w by the remaining error until the
    // inequality holds.
    for _ in 0..16 {
        if w * loss_rate(w) * (1.0 + 4.0 * f64::EPSILON) <= excess {
            return w;
        }
        w *= 1.0 - 1e-10;
    }
    0.0
}
