//! Comparisons with a defined result for NaN.
//!
//! `f64::min` and `f64::max` drop a NaN, and `f64::INFINITY.next_down()` is `f64::MAX`, so an
//! overflow before either would end as an enormous radius. Nothing else in `certificate/` calls
//! them (`tests/layers.rs` checks this).

/// The larger of `x` and `floor`; `floor` if `x` is NaN.
pub(in crate::certificate) fn at_least(x: f64, floor: f64) -> f64 {
    if x > floor { x } else { floor }
}

/// The smaller of `x` and `ceiling`; `ceiling` if `x` is NaN.
pub(in crate::certificate) fn at_most(x: f64, ceiling: f64) -> f64 {
    if x < ceiling { x } else { ceiling }
}

/// The larger of two upper bounds; infinity, the trivial bound, if either is NaN.
pub(in crate::certificate) fn max_or_infinity(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::INFINITY
    } else {
        at_least(a, b)
    }
}

/// A lower bound; minus infinity, the trivial bound, unless it is a finite number.
pub(in crate::certificate) fn finite_or_neg_infinity(bound: f64) -> f64 {
    if bound.is_finite() { bound } else { f64::NEG_INFINITY }
}

/// An upper bound; infinity, the trivial bound, unless it is a finite number.
pub(in crate::certificate) fn finite_or_infinity(bound: f64) -> f64 {
    if bound.is_finite() { bound } else { f64::INFINITY }
}
