//! The reasons why nothing can be recommended.

use crate::certificate::CertificateError;
use crate::evaluation::recompute::RecomputeError;

/// The fewest labelled inputs of each part. With fewer, every interval is too wide to say anything.
pub(super) const MIN_LABELLED: u64 = 20;

/// The reason why nothing can be recommended.
#[derive(Debug, thiserror::Error)]
pub enum RecommendError {
    /// Too few inputs have a label.
    #[error(
        "{labelled} of {inputs} inputs have a label, {held_aside} of them held aside: expected at least {MIN_LABELLED} in \
         each part, because accuracy is counted on labelled inputs"
    )]
    TooFewLabels {
        /// All inputs.
        inputs: u64,
        /// Inputs with a label.
        labelled: u64,
        /// Labelled inputs of the part that is held aside.
        held_aside: u64,
    },
    /// The confidence is out of range.
    #[error("the confidence must be from 0.5 to 0.999999, not {0}")]
    Confidence(f64),
    /// The records cannot be evaluated.
    #[error(transparent)]
    Recompute(#[from] RecomputeError),
    /// The mathematics refuses a value.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}
