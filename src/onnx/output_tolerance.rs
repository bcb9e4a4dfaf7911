//! Decides whether two outputs of the same row count as equal.
//!
//! ONNX Runtime uses different kernels for different batch sizes, and they add in a different
//! order. The bits of a row may change with the batch although the model is a function of one row.
//! The accepted difference depends on the guarantee that rests on the output.

use crate::domain::ModelGuarantee;

/// The largest accepted difference of an output, relative to `1 + |x|`, where nothing is proven
/// about its rounding.
///
/// Float32 rounds to one part in 16 million. Thousands of operations on large values lose some
/// digits of that. A model that computes a scale from the whole batch, or mixes its rows, differs
/// by whole percents.
const ROUNDING_TOLERANCE: f64 = 1e-3;

/// The accepted difference between two outputs of the same row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OutputTolerance {
    /// The bits must be equal. A smoothed certificate counts the votes of one function. Its batch
    /// shape is fixed, so the kernels and their order are fixed too.
    BitExact,
    /// Each value may differ by twice the error bound of the manifest. Both outputs are within one
    /// error bound of the exact value, and the certificate subtracts both. The difference never
    /// exceeds that of [`Self::Rounding`].
    ErrorBound(f64),
    /// Values may differ as much as rounding explains. Nothing is certified about the output.
    Rounding,
}

impl OutputTolerance {
    /// Returns the tolerance for a model with `guarantee`.
    #[must_use]
    pub fn for_guarantee(guarantee: &ModelGuarantee) -> Self {
        match guarantee {
            ModelGuarantee::None => Self::Rounding,
            ModelGuarantee::LipschitzProbabilities { error_bound, .. }
            | ModelGuarantee::LipschitzLogits { error_bound, .. } => Self::ErrorBound(*error_bound),
            ModelGuarantee::GaussianSmoothing { .. } => Self::BitExact,
        }
    }

    /// Returns whether `found` is the same output as `expected`. All NaNs are equal, because no
    /// prediction distinguishes them.
    #[must_use]
    pub fn accepts(self, expected: &[f32], found: &[f32]) -> bool {
        expected.len() == found.len()
            && expected
                .iter()
                .zip(found)
                .all(|(&expected, &found)| self.accepts_value(expected, found))
    }

    fn accepts_value(self, expected: f32, found: f32) -> bool {
        if expected.to_bits() == found.to_bits() || (expected.is_nan() && found.is_nan()) {
            return true;
        }
        // If one value is NaN, the distance is NaN, which is under no bound.
        let distance = (f64::from(expected) - f64::from(found)).abs();
        let is_near = expected.is_finite() && distance <= ROUNDING_TOLERANCE * (1.0 + f64::from(expected).abs());
        match self {
            Self::BitExact => false,
            Self::ErrorBound(bound) => is_near && distance <= 2.0 * bound,
            Self::Rounding => is_near,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tolerance_accepts_up_to_its_own_limit() {
        for (tolerance, near, far) in [
            (OutputTolerance::ErrorBound(1e-5), 1.000_015_f32, 1.000_03_f32),
            (OutputTolerance::Rounding, 1.001, 1.003),
        ] {
            assert!(
                tolerance.accepts(&[1.0], &[near]) && tolerance.accepts(&[near], &[1.0]),
                "{tolerance:?}"
            );
            assert!(
                !tolerance.accepts(&[1.0], &[far]) && !tolerance.accepts(&[far], &[1.0]),
                "{tolerance:?}"
            );
        }
        assert!(
            !OutputTolerance::BitExact.accepts(&[1.0], &[1.0_f32.next_up()])
                && OutputTolerance::BitExact.accepts(&[1.0], &[1.0])
        );
        // Votes and predictions treat both zeros as equal. The strict tolerance rejects them all
        // the same, because their bits differ.
        assert!(!OutputTolerance::BitExact.accepts(&[0.0], &[-0.0]));
    }

    #[test]
    fn values_that_are_not_finite_equal_only_themselves() {
        let (nan, infinity) = (f32::NAN, f32::INFINITY);
        // A huge error bound accepts no more than rounding does, and a NaN accepts no difference.
        for tolerance in [
            OutputTolerance::BitExact,
            OutputTolerance::Rounding,
            OutputTolerance::ErrorBound(1e308),
            OutputTolerance::ErrorBound(f64::INFINITY),
            OutputTolerance::ErrorBound(f64::NAN),
        ] {
            assert!(tolerance.accepts(&[nan, infinity], &[-nan, infinity]), "{tolerance:?}");
            for (left, right) in [
                (nan, 1.0),
                (infinity, 1.0),
                (infinity, -infinity),
                (nan, infinity),
                (0.0, 1.0),
            ] {
                assert!(
                    !tolerance.accepts(&[left], &[right]) && !tolerance.accepts(&[right], &[left]),
                    "{tolerance:?}"
                );
            }
            assert!(!tolerance.accepts(&[1.0], &[1.0, 1.0]) && !tolerance.accepts(&[1.0, 1.0], &[1.0]));
        }
    }
}
