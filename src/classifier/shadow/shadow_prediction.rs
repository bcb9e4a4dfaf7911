//! The prediction that was served for one input, and the prediction that a candidate would give.

use crate::domain::{CertificateStatus, Prediction, SamplingDetails};

/// The prediction that was served for one input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ServedPrediction {
    pub(super) class: usize,
    /// The class that `g` alone would predict.
    pub(super) standard_class: usize,
    /// The certified radius; 0 if not certified.
    pub(super) radius: f64,
    /// The estimation votes that were drawn.
    pub(super) votes: u64,
}

/// The prediction that one mixture would give for one input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ShadowPrediction {
    pub(super) class: usize,
    /// The certified radius; 0 if not certified.
    pub(super) radius: f64,
    /// The estimation votes that the rule of this mixture would draw, up to the recorded ones.
    pub(super) votes: u64,
    /// Whether the rule of this mixture would draw more votes than were recorded.
    pub(super) unfinished: bool,
    /// Whether the whole vote budget would give a certificate if all votes were distributed as the
    /// recorded ones are. An estimate.
    pub(super) likely: bool,
}

impl ServedPrediction {
    pub(super) fn new(prediction: &Prediction) -> Self {
        let certificate = &prediction.certificate;
        let votes = |sampling: &SamplingDetails| sampling.votes_drawn.saturating_sub(sampling.selection_votes);
        Self {
            class: prediction.class,
            standard_class: prediction.standard_class,
            radius: match certificate.status {
                CertificateStatus::Certified => certificate.radius,
                CertificateStatus::Abstained | CertificateStatus::Unavailable => 0.0,
            },
            votes: certificate.sampling.as_ref().map_or(0, votes),
        }
    }

    /// Returns the served prediction in the form in which the candidates are counted.
    pub(super) fn as_shadow(&self) -> ShadowPrediction {
        ShadowPrediction {
            class: self.class,
            radius: self.radius,
            votes: self.votes,
            unfinished: false,
            likely: false,
        }
    }
}
