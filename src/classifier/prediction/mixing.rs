//! Mixes two rows of log probabilities into one prediction.

use super::robust_prediction::RobustPrediction;
use crate::certificate::{Alpha, argmax, mixed_logits};
use crate::domain::{ClassSource, Prediction};

/// Computes the mixed logits (equation 4 of the paper) and the predicted class.
///
/// The certified class takes precedence over the largest mixed logit.
pub(in crate::classifier) fn mix(alpha: Alpha, standard_log_probs: Vec<f64>, robust: RobustPrediction) -> Prediction {
    let RobustPrediction {
        log_probs,
        certified_class,
        certificate,
    } = robust;
    let mixed_logits = mixed_logits(alpha, &standard_log_probs, &log_probs);
    let class = certified_class.or_else(|| argmax(&mixed_logits)).unwrap_or(0);
    Prediction {
        class,
        mixed_logits,
        certificate,
        standard_class: argmax(&standard_log_probs).unwrap_or(0),
        robust_class: argmax(&log_probs).unwrap_or(0),
        standard_log_probs,
        robust_log_probs: log_probs,
        class_source: certified_class.map_or(ClassSource::Mixture, |_| ClassSource::Certificate),
    }
}
