//! A certified radius. Every radius leaves this folder through [`Radius`].

/// A certified radius in the units of the float input: finite and at least 0, where 0 certifies
/// nothing.
///
/// NaN, an infinity and a negative number become 0. An overflow shows that a formula has left its
/// range, not that everything is certified.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(in crate::certificate) struct Radius(f64);

impl Radius {
    /// No certificate.
    pub(in crate::certificate) const NONE: Self = Self(0.0);

    /// Accepts a finite positive radius; anything else becomes [`NONE`](Self::NONE).
    pub(in crate::certificate) fn new(radius: f64) -> Self {
        if radius.is_finite() && radius > 0.0 {
            Self(radius)
        } else {
            Self::NONE
        }
    }

    /// The float below a computed number. It is below the exact value if the computed number is its
    /// correct rounding.
    pub(in crate::certificate) fn rounded_down(computed: f64) -> Self {
        // The step below infinity would be the largest float.
        if computed.is_finite() {
            Self::new(computed.next_down())
        } else {
            Self::NONE
        }
    }

    /// The smaller of two radii.
    pub(in crate::certificate) fn smaller(self, other: Self) -> Self {
        if other.0 < self.0 { other } else { self }
    }

    /// The larger of two radii.
    pub(in crate::certificate) fn larger(self, other: Self) -> Self {
        if other.0 > self.0 { other } else { self }
    }

    /// The radius in the units of the float input.
    pub(in crate::certificate) fn get(self) -> f64 {
        self.0
    }
}
