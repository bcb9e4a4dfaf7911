//! The robust model's part of a prediction.

use crate::domain::Certificate;

/// The robust model's part of a prediction for one input.
#[derive(Debug, Clone)]
pub(in crate::classifier) struct RobustPrediction {
    /// `ln h_i`, K values.
    pub(in crate::classifier) log_probs: Vec<f64>,
    /// The class that the certificate covers; `None` if nothing is certified.
    pub(in crate::classifier) certified_class: Option<usize>,
    /// The certificate for this input.
    pub(in crate::classifier) certificate: Certificate,
}
