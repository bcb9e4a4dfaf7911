//! Comparisons that say what a NaN becomes, and a radius that cannot be one.
//!
//! `f64::min` and `f64::max` pass over NaN, and `f64::INFINITY.next_down()` is `f64::MAX`: an overflow ahead of either
//! would end as an enormous radius. So nothing else in this folder calls them (`tests/architecture`), and every radius
//! leaves through [`Radius`].

/// A certified radius in the units of the float input: finite and at least 0, where 0 certifies nothing.
///
/// NaN, an infinity and a negative number become 0. An overflow shows that a formula has left its range, not that
/// everything is certified.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(in crate::certificate) struct Radius(f64);

impl Radius {
    /// No certificate.
    pub(in crate::certificate) const NONE: Self = Self(0.0);

    /// The radius itself.
    pub(in crate::certificate) fn new(radius: f64) -> Self {
        if radius.is_finite() && radius > 0.0 {
            Self(radius)
        } else {
            Self::NONE
        }
    }

    /// The float below a computed number: below the exact value where that number is its correct rounding.
    pub(in crate::certificate) fn rounded_down(computed: f64) -> Self {
        // An infinity must not be stepped down, for that is the largest float.
        if computed.is_finite() {
            Self::new(computed.next_down())
        } else {
            Self::NONE
        }
    }

    /// The smaller of two.
    pub(in crate::certificate) fn smaller(self, other: Self) -> Self {
        if other.0 < self.0 { other } else { self }
    }

    /// The larger of two.
    pub(in crate::certificate) fn larger(self, other: Self) -> Self {
        if other.0 > self.0 { other } else { self }
    }

    /// In the units of the float input.
    pub(in crate::certificate) fn get(self) -> f64 {
        self.0
    }
}

/// `x`, or `floor` where `x` is not above it, as NaN is not.
pub(in crate::certificate) fn at_least(x: f64, floor: f64) -> f64 {
    if x > floor { x } else { floor }
}

/// `x`, or `ceiling` where `x` is not below it, as NaN is not.
pub(in crate::certificate) fn at_most(x: f64, ceiling: f64) -> f64 {
    if x < ceiling { x } else { ceiling }
}

/// The larger of two upper bounds; infinity, which bounds everything, where either is NaN.
pub(in crate::certificate) fn larger_upper(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::INFINITY
    } else {
        at_least(a, b)
    }
}

/// A lower bound: minus infinity, which says nothing, unless it is a finite number.
pub(in crate::certificate) fn lower_or_nothing(bound: f64) -> f64 {
    if bound.is_finite() { bound } else { f64::NEG_INFINITY }
}

/// An upper bound: infinity, which says nothing, unless it is a finite number.
pub(in crate::certificate) fn upper_or_nothing(bound: f64) -> f64 {
    if bound.is_finite() { bound } else { f64::INFINITY }
}
