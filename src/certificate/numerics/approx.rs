//! A computed number that knows how wrong it may be.

/// A value and a bound on its absolute error.
#[derive(Debug, Clone, Copy)]
pub(in crate::certificate) struct Approx {
    /// The computed value.
    pub(in crate::certificate) value: f64,
    /// The exact value lies within this distance of it.
    pub(in crate::certificate) error: f64,
}

impl Approx {
    /// A number not above the exact value.
    pub(in crate::certificate) fn lower(self) -> f64 {
        (self.value - self.error).next_down()
    }

    /// A number not below the exact value.
    pub(in crate::certificate) fn upper(self) -> f64 {
        (self.value + self.error).next_up()
    }

    /// The sum of several, with the rounding of the additions themselves.
    pub(in crate::certificate) fn sum(parts: &[Self]) -> Self {
        let mut total = Self { value: 0.0, error: 0.0 };
        let mut magnitude = 0.0;
        for part in parts {
            total.value += part.value;
            total.error += part.error;
            magnitude += part.value.abs();
        }
        total.error += magnitude * 8.0 * f64::EPSILON;
        total
    }

    /// The negated value.
    pub(in crate::certificate) fn negated(self) -> Self {
        Self {
            value: -self.value,
            error: self.error,
        }
    }
}
