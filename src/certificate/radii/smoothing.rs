//! Radii of a Gaussian-smoothed robust network, in the l2 norm, from bounds on its probabilities.
//!
//! `h_i(x) = P(F(x + N(0, sigma^2 I)) = i)`; `p_lower` is at most `h_y`, and `p_upper` is at least
//! every other `h_i`. Each radius is in the units of the float input and rounded down; 0 certifies
//! nothing. For alpha up to 1/2 the radius is 0. Radii are within 1e-9 of exact, relative, unless
//! digits cancel (`docs/concepts/certificates.md`, section 5).

use crate::certificate::numerics::directed_probability::{LowerBound, UpperBound};
use crate::certificate::numerics::dot_product::{dot_lower, dot_upper};
use crate::certificate::numerics::nan_safe::at_least;
use crate::certificate::numerics::normal::{cdf_upper, quantile_lower, quantile_upper};
use crate::certificate::numerics::probability::Probability;
use crate::certificate::numerics::radius::Radius;
use crate::certificate::parameters::alpha::Alpha;
use crate::certificate::parameters::sigma::Sigma;
use crate::certificate::radii::near_zero_width::{near_zero_width, scaled_excess};

use crate::certificate::radii::two_sided_width::two_sided_width;

/// The paper's radius (arXiv 2311.15165, Theorem 2):
/// `sigma/2 (Phi^-1(alpha p_lower) - Phi^-1(alpha p_upper + 1 - alpha))`.
///
/// `p_upper` counts as `min(p_upper, 1 - p_lower)`. The radius never exceeds `sigma Phi^-1(alpha)`,
/// nor [`tight_radius`].
#[must_use]
pub fn theorem2_radius(alpha: Alpha, sigma: Sigma, p_lower: LowerBound, p_upper: UpperBound) -> f64 {
    if !alpha.can_certify() {
        return 0.0;
    }
    let p_upper = p_upper.stronger(p_lower.of_complement());
    let of_class = mixed_lower(alpha, p_lower);
    let of_runner_up = mixed_upper(alpha, p_upper);
    let (class, runner_up) = (quantile_lower(of_class), quantile_upper(of_runner_up));
    let width = Radius::rounded_down((class - runner_up) / 2.0);
    // The two arguments differ by the scaled excess, and they meet at half the distance of their
    // quantiles.
    let near_zero = near_zero_width(scaled_excess(alpha.get(), p_lower, p_upper), class, runner_up);
    sigma.times_down(width.larger(Radius::new(near_zero))).get()
}

/// The largest r with
/// `Phi(Phi^-1(p_lower) - r/sigma) - Phi(Phi^-1(p_upper) + r/sigma) >= (1 - alpha)/alpha`.
///
/// Beyond the paper; `docs/concepts/certificates.md` derives it. No larger radius follows from the two
/// bounds alone. `p_upper` counts as `min(p_upper, 1 - p_lower)`. If the minimum is `1 - p_lower`,
/// the radius is `sigma (Phi^-1(p_lower) - Phi^-1(1 / (2 alpha)))`.
#[must_use]
pub fn tight_radius(alpha: Alpha, sigma: Sigma, p_lower: LowerBound, p_upper: UpperBound) -> f64 {
    if !alpha.can_certify() {
        return 0.0;
    }
    let implied = p_lower.of_complement();
    let p_upper = p_upper.stronger(implied);
    let (class, runner_up) = (quantile_lower(p_lower), quantile_upper(p_upper));
    let width = if p_upper == implied {
        Radius::rounded_down(class - quantile_upper(half_over(alpha)))
    } else {
        Radius::new(two_sided_width(alpha, class, runner_up))
    };
    let excess = (scaled_excess(alpha.get(), p_lower, p_upper) / alpha.get()).next_down();
    let near_zero = Radius::new(near_zero_width(excess, class, runner_up));
    sigma.times_down(width.larger(near_zero)).get()
}

/// The lower bound on `h_y` from which the tight radius, with `p_upper = 1 - p_lower`, is at least
/// `radius`: `p0 = Phi(radius/sigma + Phi^-1(1 / (2 alpha)))`, rounded up.
///
/// `radius` is in the units of the float input. The result is [`UpperBound::TRIVIAL`] (p0 = 1) if
/// no probability is enough: for alpha of 1/2 or less, and for a radius that is NaN or too large.
#[must_use]
pub fn required_p(alpha: Alpha, sigma: Sigma, radius: f64) -> UpperBound {
    if !alpha.can_certify() {
        return UpperBound::TRIVIAL;
    }
    let widths = (radius / sigma.get()).next_up();
    cdf_upper((widths + quantile_upper(half_over(alpha))).next_up())
}

/// The same for [`theorem2_radius`]: with `p_upper = 1 - p_lower` that radius is
/// `sigma Phi^-1(alpha p_lower)`, so `p0 = Phi(radius/sigma) / alpha`, rounded up.
#[must_use]
pub fn required_p_theorem2(alpha: Alpha, sigma: Sigma, radius: f64) -> UpperBound {
    if !alpha.can_certify() {
        return UpperBound::TRIVIAL;
    }
    let p = cdf_upper((radius / sigma.get()).next_up()).probability();
    // 1 - p/alpha = (alpha - p) / alpha.
    let left_over = if p.upper_half {
        dot_lower(&[(1.0, alpha.get()), (-1.0, 1.0), (1.0, p.small)])
    } else {
        dot_lower(&[(1.0, alpha.get()), (-1.0, p.small)])
    };
    let complement = (left_over / alpha.get()).next_down();
    UpperBound::from_complement(at_least(complement, 0.0)).unwrap_or(UpperBound::TRIVIAL)
}

/// `1 / (2 alpha)`, rounded up. For alpha >= 1/2 it is at least 1/2, so its complement represents
/// it.
fn half_over(alpha: Alpha) -> UpperBound {
    let a = alpha.get();
    if a >= 1.0 {
        return UpperBound::new(Probability::from_value(0.5));
    }
    // 2 alpha - 1 is exact for alpha from 1/2 to 1.
    let complement = at_least(((2.0 * a - 1.0) / (2.0 * a)).next_down(), 0.0);
    UpperBound::new(Probability::from_complement(complement))
}

/// `alpha p`, rounded down.
fn mixed_lower(alpha: Alpha, p: LowerBound) -> LowerBound {
    let (a, point) = (alpha.get(), p.probability());
    // The complement is 1 - alpha + alpha (1 - p).
    let (value, complement) = if point.upper_half {
        (
            dot_lower(&[(1.0, a), (-a, point.small)]),
            // 1 - alpha is exact for alpha from 1/2 to 1.
            dot_upper(&[(1.0, 1.0 - a), (a, point.small)]),
        )
    } else {
        (dot_lower(&[(a, point.small)]), 1.0)
    };
    let bound = if complement < 0.5 {
        LowerBound::from_complement(complement)
    } else {
        LowerBound::from_value(value)
    };
    bound.unwrap_or(LowerBound::TRIVIAL)
}

/// `alpha p + 1 - alpha`, rounded up. Its complement is `alpha (1 - p)`.
fn mixed_upper(alpha: Alpha, p: UpperBound) -> UpperBound {
    mixed_lower(alpha, p.of_complement()).of_complement()
}
