//! The compatibility of the standard and the robust model.

use super::{Manifest, OnnxError};
use crate::domain::Violations;

/// Checks that both models have the same input and the same classes.
///
/// # Errors
/// Returns every difference.
pub fn check_pair_compatibility(standard: &Manifest, robust: &Manifest) -> Result<(), OnnxError> {
    let mut violations = Violations::default();
    let (left, right) = (&standard.input, &robust.input);
    violations.check(left.shape == right.shape, "input.shape", || {
        format!(
            "the standard model has {:?}, the robust model {:?}",
            left.shape, right.shape
        )
    });
    violations.check((left.low, left.high) == (right.low, right.high), "input.range", || {
        format!(
            "the standard model has [{}, {}], the robust model [{}, {}]",
            left.low, left.high, right.low, right.high
        )
    });
    violations.check(standard.labels == robust.labels, "labels", || {
        format!(
            "the standard model has {:?}, the robust model {:?}",
            standard.labels, robust.labels
        )
    });
    violations.into_result().map_err(OnnxError::IncompatiblePair)
}
