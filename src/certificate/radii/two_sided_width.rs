//! The tight radius with two informative bounds. It has no closed form, so bisection finds it.

use crate::certificate::numerics::normal::{cdf_lower, cdf_upper};
use crate::certificate::parameters::alpha::Alpha;

/// A width `w = r/sigma`, rounded down, with
/// `Phi(class - w) - Phi(runner_up + w) >= (1 - alpha)/alpha`; 0 if no positive width satisfies it.
/// Alpha is at least 1/2. `class` and `runner_up` are quantiles, each rounded in its sound
/// direction.
///
/// The left side decreases as w grows, so bisection finds the largest w. The function returns the
/// end of the interval at which the inequality was seen to hold with every rounding against it.
pub(in crate::certificate) fn two_sided_width(alpha: Alpha, class: f64, runner_up: f64) -> f64 {
    let margin = alpha.margin_needed();
    // 1 - mu = (2 alpha - 1) / alpha. The numerator is exact for alpha from 1/2 to 1.
    let slack = ((2.0 * alpha.get() - 1.0) / alpha.get()).next_down();
    let holds = |w: f64| {
        let of_class = cdf_lower((class - w).next_down());
        let of_runner_up = cdf_upper((runner_up + w).next_up());
        // Two forms of one inequality; each keeps the digits that the other loses.
        (of_class.value() - of_runner_up.value()).next_down() >= margin
            || (of_class.complement() + of_runner_up.value()).next_up() <= slack
    };
    // At alpha = 1 the largest width is half the distance; a larger margin only lowers it.
    let start = ((class - runner_up) / 2.0).next_up();
    let mut above = start;
    let mut sound = 0.0_f64;
    // `near_zero_width.rs` handles smaller widths with better accuracy.
    while above - sound > 1e-14 * above && above > 1e-7 * start {
        let middle = f64::midpoint(sound, above);
        if middle <= sound || middle >= above {
            break;
        }
        if holds(middle) {
            sound = middle;
        } else {
            above = middle;
        }
    }
    sound
}
