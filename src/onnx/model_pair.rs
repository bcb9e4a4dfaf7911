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
    if let Some(difference) = label_difference(&standard.labels, &robust.labels) {
        violations.add("labels", difference);
    }
    violations.into_result().map_err(OnnxError::IncompatiblePair)
}

/// The numbers of classes if they differ, and the first class with different labels. A whole list
/// may have thousands of labels.
fn label_difference(standard: &[String], robust: &[String]) -> Option<String> {
    let mut parts = Vec::new();
    if standard.len() != robust.len() {
        parts.push(format!(
            "the standard model has {} classes, the robust model {}",
            standard.len(),
            robust.len()
        ));
    }
    let mut pairs = standard.iter().zip(robust).enumerate();
    if let Some((index, (left, right))) = pairs.find(|(_, (left, right))| left != right) {
        parts.push(format!(
            "class {index} is \"{left}\" in the standard model, \"{right}\" in the robust model"
        ));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::label_difference;

    #[test]
    fn the_first_different_label_is_named() {
        let labels = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let difference = |left: &[&str], right: &[&str]| label_difference(&labels(left), &labels(right));
        assert_eq!(difference(&["crane", "crane"], &["crane", "crane"]), None);
        assert_eq!(
            difference(&["a", "b", "c"], &["a", "x", "y"]).as_deref(),
            Some("class 1 is \"b\" in the standard model, \"x\" in the robust model")
        );
        assert_eq!(
            difference(&["a", "b"], &["a"]).as_deref(),
            Some("the standard model has 2 classes, the robust model 1")
        );
    }
}
