//! The answer that a mixture gives for one recorded input.

use crate::domain::{CertificateStatus, Prediction};

/// The answer that a mixture gives for one recorded input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecomputedAnswer {
    /// The predicted class.
    pub class: usize,
    /// Whether the class is certified.
    pub status: CertificateStatus,
    /// The certified radius, in the units of the float input; 0 unless certified.
    pub radius: f64,
    /// The votes of both kinds that the answer draws; 0 for a row.
    pub votes: u64,
    /// Whether the rule would draw more votes than were recorded. The answer is then that of the
    /// recorded ones.
    pub unfinished: bool,
}

impl RecomputedAnswer {
    /// The answer of a prediction that draws no votes.
    pub(super) fn of_row(prediction: &Prediction) -> Self {
        let certificate = &prediction.certificate;
        Self {
            class: prediction.class,
            status: certificate.status,
            radius: match certificate.status {
                CertificateStatus::Certified => certificate.radius,
                CertificateStatus::Abstained | CertificateStatus::Unavailable => 0.0,
            },
            votes: 0,
            unfinished: false,
        }
    }
}
