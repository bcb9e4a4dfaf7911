//! When two outputs of the same row count as the same.
//!
//! ONNX Runtime takes other kernels for other batch sizes, which add in another order. So the bits of a row may change with
//! the batch although the model is a function of one row. How much of that an answer bears depends on what rests on it.

use crate::domain::Guarantee;

/// How far an output may be from what it was, relative to `1 + |x|`, where nothing is proven about its rounding.
///
/// Float32 rounds one part in 16 million; thousands of operations on large values lose some digits of that. A model that takes
/// a scale from the whole batch, or mixes its rows, is off by whole percents.
const NEAR: f64 = 1e-3;

/// A rule that outputs of the same row are held to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Agreement {
    /// The same bits. A smoothed certificate counts the votes of one function; its batch shape is fixed, so that the kernels
    /// and their order are too.
    Bits,
    /// Each value within twice the manifest's error bound: both are within one of the exact value, and the certificate pays
    /// for both. Never further than rounding.
    Bound(f64),
    /// As near as rounding leaves them: nothing is certified of the output.
    Rounding,
}

impl Agreement {
    /// The rule for a model with `guarantee`.
    #[must_use]
    pub fn of(guarantee: &Guarantee) -> Self {
        match guarantee {
            Guarantee::None => Self::Rounding,
            Guarantee::LipschitzProbabilities { error_bound, .. } | Guarantee::LipschitzLogits { error_bound, .. } => {
                Self::Bound(*error_bound)
            }
            Guarantee::GaussianSmoothing { .. } => Self::Bits,
        }
    }

    /// Whether `found` is the same output as `expected`. A NaN is the same as any other NaN: no answer tells them apart.
    #[must_use]
    pub fn holds(self, expected: &[f32], found: &[f32]) -> bool {
        expected.len() == found.len()
            && expected
                .iter()
                .zip(found)
                .all(|(&expected, &found)| self.same(expected, found))
    }

    fn same(self, expected: f32, found: f32) -> bool {
        if expected.to_bits() == found.to_bits() || (expected.is_nan() && found.is_nan()) {
            return true;
        }
        // A NaN among them makes the distance NaN, which is under no bound.
        let distance = (f64::from(expected) - f64::from(found)).abs();
        let near = expected.is_finite() && distance <= NEAR * (1.0 + f64::from(expected).abs());
        match self {
            Self::Bits => false,
            Self::Bound(bound) => near && distance <= 2.0 * bound,
            Self::Rounding => near,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_has_its_own_slack() {
        for (rule, near, far) in [
            (Agreement::Bound(1e-5), 1.000_015_f32, 1.000_03_f32),
            (Agreement::Rounding, 1.001, 1.003),
        ] {
            assert!(rule.holds(&[1.0], &[near]) && rule.holds(&[near], &[1.0]), "{rule:?}");
            assert!(!rule.holds(&[1.0], &[far]) && !rule.holds(&[far], &[1.0]), "{rule:?}");
        }
        assert!(!Agreement::Bits.holds(&[1.0], &[1.0_f32.next_up()]) && Agreement::Bits.holds(&[1.0], &[1.0]));
        // Votes and answers take both zeros for the same, and so may the bits differ: the strict rule refuses even that.
        assert!(!Agreement::Bits.holds(&[0.0], &[-0.0]));
    }

    #[test]
    fn what_is_not_finite_agrees_with_itself_alone() {
        let (nan, infinity) = (f32::NAN, f32::INFINITY);
        // A huge error bound allows no more than rounding does, and one that is no number allows nothing.
        for rule in [
            Agreement::Bits,
            Agreement::Rounding,
            Agreement::Bound(1e308),
            Agreement::Bound(f64::INFINITY),
            Agreement::Bound(f64::NAN),
        ] {
            assert!(rule.holds(&[nan, infinity], &[-nan, infinity]), "{rule:?}");
            for (left, right) in [
                (nan, 1.0),
                (infinity, 1.0),
                (infinity, -infinity),
                (nan, infinity),
                (0.0, 1.0),
            ] {
                assert!(
                    !rule.holds(&[left], &[right]) && !rule.holds(&[right], &[left]),
                    "{rule:?}"
                );
            }
            assert!(!rule.holds(&[1.0], &[1.0, 1.0]) && !rule.holds(&[1.0, 1.0], &[1.0]));
        }
    }
}
