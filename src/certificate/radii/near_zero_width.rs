//! Radii near zero, where quantiles cancel.
//!
//! `Phi^-1(p) - Phi^-1(q)` has no digits left once p and q agree in most of theirs, although `p - q` itself can be
//! had to the last digit (`dot_product.rs`). So a second lower bound of the same width is built from that difference.

use crate::certificate::numerics::dot_product::dot_lower;
use crate::certificate::numerics::normal::density;
use crate::certificate::numerics::probability::{LowerBound, Point, UpperBound};

/// Above this the quantiles themselves are good to 1e-9.
const SMALL: f64 = 1e-3;

/// `alpha p_lower - alpha p_upper - (1 - alpha)`, rounded down, exact to the last digits even where it cancels.
pub(in crate::certificate) fn scaled_excess(alpha: f64, p_lower: LowerBound, p_upper: UpperBound) -> f64 {
    let [class_one, class_small] = weighted(alpha, p_lower.point());
    let [other_one, other_small] = weighted(-alpha, p_upper.point());
    // alpha - 1 is exact from 1/2 to 1.
    dot_lower(&[class_one, other_one, class_small, other_small, (1.0, alpha - 1.0)])
}

/// `weight p` as two products.
fn weighted(weight: f64, p: Point) -> [(f64, f64); 2] {
    if p.upper_half {
        [(weight, 1.0), (-weight, p.small)]
    } else {
        [(weight, p.small), (0.0, 0.0)]
    }
}

/// A w, rounded down, such that the integral over s from 0 to w of `phi(class - s) + phi(runner_up + s)` is at most
/// `excess`: so much may a ball of radius `w sigma` take off the difference of two smoothed probabilities with these
/// quantiles. 0 unless it is small.
///
/// Over an interval of width w centred at m the density averages at most `phi(m) (1 + 0.0453 m^2 w^2)` while
/// `m w <= 2`: `phi(m + h) + phi(m - h) <= 2 phi(m) cosh(m h)`, and `cosh z <= 1 + 0.5431 z^2` up to 1. The quantiles need only
/// be near: the allowance covers what their last digits do to the density.
pub(in crate::certificate) fn small_width(excess: f64, class: f64, runner_up: f64) -> f64 {
    let flow = |w: f64| {
        let average = |m: f64| density(m) * (1.0 + 0.0453 * m * m * w * w);
        (average(class - w / 2.0) + average(runner_up + w / 2.0)) * (1.0 + 1e-11)
    };
    let mut w = excess / flow(0.0);
    for _ in 0..4 {
        if !(0.0..SMALL).contains(&w) {
            return 0.0;
        }
        w = excess / flow(w);
    }
    w *= 1.0 - 1e-12;
    // The iteration contracts by about |m| w; what it has not settled is taken off until the inequality holds.
    for _ in 0..16 {
        if w * flow(w) * (1.0 + 4.0 * f64::EPSILON) <= excess {
            return w;
        }
        w *= 1.0 - 1e-10;
    }
    0.0
}
