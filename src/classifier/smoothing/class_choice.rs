//! The class of a prediction that is not certified.

use super::vote_counts::VoteCounts;
use crate::certificate::{CertificateError, MixingWeights, settled_class};
use crate::domain::{CertificateStatus, ClassSource, Prediction};

/// The most votes, selection votes included, that the class of an input may take where no input can
/// be certified.
pub(in crate::classifier) const MAX_CLASS_VOTES: u64 = 64;

/// Appended to the reason of an answer whose class is that of the standard model.
const STANDARD_MODEL_NOTE: &str =
    "; the class is that of the standard model, because the votes do not settle the class of the mixture";

/// Returns the class of the mixture where the votes in `counts` settle it.
///
/// # Errors
/// Returns an error for contradictory counts.
pub(in crate::classifier) fn class_of_mixture(
    weights: MixingWeights,
    standard_log_probs: &[f64],
    counts: &VoteCounts,
) -> Result<Option<usize>, CertificateError> {
    settled_class(weights, standard_log_probs, &counts.all(), counts.drawn())
}

/// Replaces the class of a prediction without a certificate: with the class of the mixture where
/// the votes in `counts` settle it, or else with that of the standard model.
///
/// The share of a few votes changes from call to call, and with it the largest mixed logit. Neither
/// of the two classes here does: the standard model draws no votes.
///
/// # Errors
/// Returns an error for contradictory counts.
pub(in crate::classifier) fn choose_class(
    prediction: &mut Prediction,
    weights: MixingWeights,
    counts: &VoteCounts,
) -> Result<(), CertificateError> {
    if prediction.class_source == ClassSource::Certificate {
        return Ok(());
    }
    match class_of_mixture(weights, &prediction.standard_log_probs, counts)? {
        Some(class) => (prediction.class, prediction.class_source) = (class, ClassSource::Mixture),
        None => {
            (prediction.class, prediction.class_source) = (prediction.standard_class, ClassSource::StandardModel);
            if prediction.certificate.status == CertificateStatus::Abstained {
                prediction.certificate.reason.push_str(STANDARD_MODEL_NOTE);
            }
        }
    }
    Ok(())
}
