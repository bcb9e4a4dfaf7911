//! Comparisons that say what a NaN becomes, and a radius that cannot be one.
//!
//! `f64::min` and `f64::max` pass over NaN, and `f64::INFINITY.next_down()` is `f64::MAX`: an overflow ahead of either
//! would end as an enormous radius. So nothing else in this folder calls them (`tests/architecture`), and every radius
//! leaves through [`Radius`].

/// `x`, or `floor` where `x` is not above it, as NaN is not.
pub(in crate::certificate) fn at_least(x: f64, floor: f64) -> f64 {
    if x > floor { x } else { floor }
}

/// `x`, or `ceiling` where `x` is not below it, as NaN is not.
pub(in crate::certificate) fn at_most(x: f64, ceiling: f64) -> f64 {
    if x < ceiling { x } else { ceiling }
}

/// The larger of two upper bounds; infinity, which bounds everything, where either is NaN.
pub(in crate::certificate) fn max_or_infinity(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::INFINITY
    } else {
        at_least(a, b)
    }
}

/// A lower bound: minus infinity, which says nothing, unless it is a finite number.
pub(in crate::certificate) fn finite_or_neg_infinity(bound: f64) -> f64 {
    if bound.is_finite() { bound } else { f64::NEG_INFINITY }
}

/// An upper bound: infinity, which says nothing, unless it is a finite number.
pub(in crate::certificate) fn finite_or_infinity(bound: f64) -> f64 {
    if bound.is_finite() { bound } else { f64::INFINITY }
}
