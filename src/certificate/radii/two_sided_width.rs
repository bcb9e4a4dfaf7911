//! The tight radius when both bounds say something: no closed form, so bisection with a sound end.

use crate::certificate::numerics::normal::{cdf_lower, cdf_upper};
use crate::certificate::parameters::alpha::Alpha;

/// A `w = r/sigma`, rounded down, with `Phi(class - w) - Phi(runner_up + w) >= (1 - alpha)/alpha`; 0 if none is positive. Alpha of
/// at least 1/2; `class` and `runner_up` are quantiles on their sound sides.
///
/// The left side falls as w grows, so bisection finds the largest. The end that is returned is the one whose
/// inequality was seen to hold with every rounding against it.
pub(in crate::certificate) fn two_sided_width(alpha: Alpha, class: f64, runner_up: f64) -> f64 {
    let margin = alpha.margin_needed();
    // 1 - mu = (2 alpha - 1) / alpha, whose numerator is exact from 1/2 to 1.
    let slack = ((2.0 * alpha.get() - 1.0) / alpha.get()).next_down();
    let holds = |w: f64| {
        let of_class = cdf_lower((class - w).next_down());
        let of_runner_up = cdf_upper((runner_up + w).next_up());
        // Two readings of one inequality; each keeps the digits that the other loses.
        (of_class.value() - of_runner_up.value()).next_down() >= margin
            || (of_class.complement() + of_runner_up.value()).next_up() <= slack
    };
    // At alpha = 1 the largest is half the distance; a larger margin only lowers it.
    let start = ((class - runner_up) / 2.0).next_up();
    let mut above = start;
    let mut sound = 0.0_f64;
    // What is nearer to zero than that is left to `near_zero_width.rs`, which does it better.
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
