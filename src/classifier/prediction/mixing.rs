//! Two rows of log probabilities as one answer.

use super::robust_prediction::RobustPrediction;
use crate::certificate::{Alpha, argmax, mixed_logits};
use crate::domain::Prediction;

/// Eq. 4 of the paper, and which class that makes.
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
    }
}
