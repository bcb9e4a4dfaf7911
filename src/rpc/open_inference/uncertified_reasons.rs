//! Lists why inputs of a response are not certified, as the text of one parameter.

use crate::domain::{CertificateStatus, MAX_REASON_BYTES, Prediction, cut};

/// The most reasons, and the most inputs for each, in the text. A response may have thousands of
/// inputs.
const MAX_LISTED: usize = 8;

/// Each reason with the inputs that it applies to, such as `inputs 0, 2: the margin is too small`.
/// `None` if all inputs are certified.
pub(super) fn uncertified_reasons(predictions: &[Prediction]) -> Option<String> {
    let mut inputs_by_reason: Vec<(&str, Vec<usize>)> = Vec::new();
    let mut unlisted = 0_usize;
    for (index, prediction) in predictions.iter().enumerate() {
        let certificate = &prediction.certificate;
        if certificate.status == CertificateStatus::Certified {
            continue;
        }
        let reason = cut(&certificate.reason, MAX_REASON_BYTES);
        match inputs_by_reason.iter().position(|(known, _)| *known == reason) {
            Some(position) => inputs_by_reason[position].1.push(index),
            None if inputs_by_reason.len() < MAX_LISTED => inputs_by_reason.push((reason, vec![index])),
            None => unlisted += 1,
        }
    }
    if inputs_by_reason.is_empty() {
        return None;
    }
    let mut parts: Vec<String> = inputs_by_reason
        .into_iter()
        .map(|(reason, inputs)| format!("{}: {reason}", list_inputs(&inputs)))
        .collect();
    if unlisted > 0 {
        parts.push(format!("{unlisted} more inputs for other reasons"));
    }
    Some(parts.join("; "))
}

fn list_inputs(inputs: &[usize]) -> String {
    let listed: Vec<String> = inputs.iter().take(MAX_LISTED).map(usize::to_string).collect();
    let noun = if inputs.len() == 1 { "input" } else { "inputs" };
    let listed = listed.join(", ");
    match inputs.len().checked_sub(MAX_LISTED) {
        Some(more @ 1..) => format!("{noun} {listed} and {more} more"),
        _ => format!("{noun} {listed}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Certificate, ClassSource};

    fn prediction(reason: &str) -> Prediction {
        Prediction {
            class: 0,
            class_source: ClassSource::Mixture,
            mixed_logits: Vec::new(),
            robust_weight: 0.0,
            weight_rule: crate::certificate::WeightRule::Fallback,
            certificate: Certificate::unavailable(reason),
            standard_log_probs: Vec::new(),
            robust_log_probs: Vec::new(),
            standard_class: 0,
            robust_class: 0,
            model_outputs: None,
        }
    }

    #[test]
    fn each_reason_is_listed_once_and_long_lists_are_cut() {
        let certified = Prediction {
            certificate: Certificate {
                status: CertificateStatus::Certified,
                ..Certificate::unavailable("")
            },
            ..prediction("")
        };
        assert_eq!(uncertified_reasons(std::slice::from_ref(&certified)), None);
        let few = [prediction("one"), certified, prediction("other"), prediction("one")];
        assert_eq!(uncertified_reasons(&few).unwrap(), "inputs 0, 3: one; input 2: other");
        let same: Vec<_> = (0..10).map(|_| prediction("one")).collect();
        assert_eq!(
            uncertified_reasons(&same).unwrap(),
            "inputs 0, 1, 2, 3, 4, 5, 6, 7 and 2 more: one"
        );
        let different: Vec<_> = (0..10).map(|index| prediction(&index.to_string())).collect();
        let text = uncertified_reasons(&different).unwrap();
        assert!(text.ends_with("input 7: 7; 2 more inputs for other reasons"), "{text}");
    }
}
