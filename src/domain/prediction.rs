//! The prediction for one input.

use crate::certificate::WeightRule;
use crate::domain::{Certificate, ModelOutputs};

/// The origin of the class of a prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClassSource {
    /// The class is certified.
    Certificate,
    /// The class with the largest mixed logit. The votes of a smoothed `h` settle it.
    Mixture,
    /// The class of `g` alone, because the votes of a smoothed `h` do not settle the class of the
    /// mixture.
    StandardModel,
}

/// The prediction for one input, over K classes.
#[derive(Debug, Clone)]
pub struct Prediction {
    /// The predicted class.
    pub class: usize,
    /// The origin of the class.
    pub class_source: ClassSource,
    /// `f_i`, K finite values.
    pub mixed_logits: Vec<f64>,
    /// The weight of `h` in the mixed logits: alpha or `fallback_alpha`.
    pub robust_weight: f64,
    /// The rule that selected the weight.
    pub weight_rule: WeightRule,
    /// The certificate for the class.
    pub certificate: Certificate,
    /// `ln g_i`, K values.
    pub standard_log_probs: Vec<f64>,
    /// `ln h_i`, K values; for a smoothed `h` the logarithm of the share of votes.
    pub robust_log_probs: Vec<f64>,
    /// The class that `g` alone would return.
    pub standard_class: usize,
    /// The class that `h` alone would return.
    pub robust_class: usize,
    /// The outputs of both models, if the request wants them.
    pub model_outputs: Option<ModelOutputs>,
}
