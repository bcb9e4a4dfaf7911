//! A computed number with a bound on its error.

/// A value and a bound on its absolute error.
#[derive(Debug, Clone, Copy)]
pub(in crate::certificate) struct ValueWithError {
    /// The computed value.
    pub(in crate::certificate) value: f64,
    /// The largest possible distance to the exact value.
    pub(in crate::certificate) error: f64,
}

impl ValueWithError {
    /// A number at or below the exact value.
    pub(in crate::certificate) fn lower(self) -> f64 {
        (self.value - self.error).next_down()
    }

    /// A number at or above the exact value.
    pub(in crate::certificate) fn upper(self) -> f64 {
        (self.value + self.error).next_up()
    }

    /// The sum of several values; its error includes the rounding of the additions.
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
