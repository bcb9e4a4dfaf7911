//! Mixes two rows of log probabilities into one prediction.

use super::robust_prediction::RobustPrediction;
use crate::certificate::{MixingWeights, WeightRule, argmax, mixed_logits};
use crate::domain::{ClassSource, Prediction};

/// Computes the mixed logits (equation 4 of the paper, with the weight that `weights` selects for
/// this row) and the predicted class.
///
/// The certified class takes precedence over the largest mixed logit. A certified input has the
/// weight alpha: its certificate proves that the margin is large enough.
pub(in crate::classifier) fn mix(
    weights: MixingWeights,
    standard_log_probs: Vec<f64>,
    robust: RobustPrediction,
) -> Prediction {
    let RobustPrediction {
        log_probs,
        certified_class,
        certificate,
    } = robust;
    let weight_rule = match certified_class {
        Some(_) => WeightRule::Alpha,
        None => weights.rule(&log_probs),
    };
    let robust_weight = weights.weight(weight_rule);
    let mixed_logits = mixed_logits(robust_weight, &standard_log_probs, &log_probs);
    let class = certified_class.or_else(|| argmax(&mixed_logits)).unwrap_or(0);
    Prediction {
        class,
        mixed_logits,
        robust_weight: robust_weight.get(),
        weight_rule,
        certificate,
        standard_class: argmax(&standard_log_probs).unwrap_or(0),
        robust_class: argmax(&log_probs).unwrap_or(0),
        standard_log_probs,
        robust_log_probs: log_probs,
        class_source: certified_class.map_or(ClassSource::Mixture, |_| ClassSource::Certificate),
        model_outputs: None,
    }
}
