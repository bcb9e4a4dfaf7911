//! Why some answers of a response are not certified, in one parameter of it.

use crate::domain::{CertificateStatus, Prediction};

/// Reasons that are told, and inputs that are named for each, at most: a response may have thousands.
const MOST: usize = 8;

/// Each reason with the inputs that it is about, such as `inputs 0, 2: the margin is too small`; nothing if all are certified.
pub(super) fn reasons(predictions: &[Prediction]) -> Option<String> {
    let mut found: Vec<(&str, Vec<usize>)> = Vec::new();
    let mut more = 0_usize;
    for (index, prediction) in predictions.iter().enumerate() {
        let certificate = &prediction.certificate;
        if certificate.status == CertificateStatus::Certified {
            continue;
        }
        let reason = certificate.reason.as_str();
        match found.iter().position(|(known, _)| *known == reason) {
            Some(known) => found[known].1.push(index),
            None if found.len() < MOST => found.push((reason, vec![index])),
            None => more += 1,
        }
    }
    if found.is_empty() {
        return None;
    }
    let mut told: Vec<String> = found
        .into_iter()
        .map(|(reason, inputs)| format!("{}: {reason}", named(&inputs)))
        .collect();
    if more > 0 {
        told.push(format!("{more} more inputs for other reasons"));
    }
    Some(told.join("; "))
}

fn named(inputs: &[usize]) -> String {
    let first: Vec<String> = inputs.iter().take(MOST).map(usize::to_string).collect();
    let (word, first) = (if inputs.len() == 1 { "input" } else { "inputs" }, first.join(", "));
    match inputs.len().checked_sub(MOST) {
        Some(more @ 1..) => format!("{word} {first} and {more} more"),
        _ => format!("{word} {first}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Certificate;

    fn prediction(reason: &str) -> Prediction {
        Prediction {
            class: 0,
            mixed_logits: Vec::new(),
            certificate: Certificate::unavailable(reason),
            standard_log_probs: Vec::new(),
            robust_log_probs: Vec::new(),
            standard_class: 0,
            robust_class: 0,
        }
    }

    #[test]
    fn a_reason_is_told_once_and_many_are_not_told_at_length() {
        let certified = Prediction {
            certificate: Certificate {
                status: CertificateStatus::Certified,
                ..Certificate::unavailable("")
            },
            ..prediction("")
        };
        assert_eq!(reasons(std::slice::from_ref(&certified)), None);
        let few = [prediction("one"), certified, prediction("other"), prediction("one")];
        assert_eq!(reasons(&few).unwrap(), "inputs 0, 3: one; input 2: other");
        let same: Vec<_> = (0..10).map(|_| prediction("one")).collect();
        assert_eq!(reasons(&same).unwrap(), "inputs 0, 1, 2, 3, 4, 5, 6, 7 and 2 more: one");
        let different: Vec<_> = (0..10).map(|index| prediction(&index.to_string())).collect();
        let told = reasons(&different).unwrap();
        assert!(told.ends_with("input 7: 7; 2 more inputs for other reasons"), "{told}");
    }
}
