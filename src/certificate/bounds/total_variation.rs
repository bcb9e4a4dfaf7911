//! Discounts for the total-variation distance between the drawn noise and the exact Gaussian.

use crate::certificate::numerics::directed_probability::{LowerBound, UpperBound};
use crate::certificate::numerics::nan_safe::{at_least, at_most};

/// Converts bounds on sampled probabilities into bounds for the exact smoothed network. `tv` is the
/// total-variation distance between the drawn noise and the exact noise; it lowers the lower bound
/// and raises the upper bound.
///
/// The probabilities of any event differ by at most that distance. Range of `tv`: 0 to 1. Any other
/// value gives trivial bounds.
#[must_use]
pub fn discount_total_variation(lower: LowerBound, upper: UpperBound, tv: f64) -> (LowerBound, UpperBound) {
    if tv == 0.0 {
        return (lower, upper);
    }
    (lowered(lower, tv), lowered(upper.of_complement(), tv).of_complement())
}

/// The value that a sampled probability must exceed so that the exact probability exceeds `p`:
/// `p + tv`, rounded up.
pub(in crate::certificate) fn raised_by_total_variation(p: UpperBound, tv: f64) -> UpperBound {
    discount_total_variation(LowerBound::TRIVIAL, p, tv).1
}

fn lowered(bound: LowerBound, tv: f64) -> LowerBound {
    if !(0.0..=1.0).contains(&tv) {
        return LowerBound::TRIVIAL;
    }
    let point = bound.probability();
    let moved = if point.upper_half {
        LowerBound::from_complement(at_most((point.small + tv).next_up(), 1.0))
    } else {
        LowerBound::from_value(at_least((point.small - tv).next_down(), 0.0))
    };
    moved.unwrap_or(LowerBound::TRIVIAL)
}
