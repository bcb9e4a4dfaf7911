//! The answer for one input, and the configuration that gave it.

use crate::domain::Certificate;

/// The answer for one input, over K classes.
#[derive(Debug, Clone)]
pub struct Prediction {
    /// The class: the certified one, or else the mixture's argmax.
    pub class: usize,
    /// `f_i`, K finite values.
    pub mixed_logits: Vec<f64>,
    /// What is proven about the class.
    pub certificate: Certificate,
    /// `ln g_i`, K values.
    pub standard_log_probs: Vec<f64>,
    /// `ln h_i`, K values; for a smoothed `h` of the share of votes.
    pub robust_log_probs: Vec<f64>,
    /// What `g` alone would answer.
    pub standard_class: usize,
    /// What `h` alone would answer.
    pub robust_class: usize,
}
