//! What one request leaves for the candidates.

use super::trace::Trace;
use crate::certificate::SmoothingPlan;
use crate::domain::{CertificateStatus, PerRole, Prediction, StopReason};

use super::counts::Verdict;

/// What was answered to one input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Served {
    pub(super) class: usize,
    /// What `g` alone would have answered.
    pub(super) standard_class: usize,
    /// 0 if not certified.
    pub(super) radius: f64,
    /// Estimation votes that were drawn.
    pub(super) votes: u64,
}

impl Served {
    pub(super) fn new(prediction: &Prediction) -> Self {
        let certificate = &prediction.certificate;
        let votes =
            |sampling: &crate::domain::SamplingDetails| sampling.votes_drawn.saturating_sub(sampling.selection_votes);
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

    /// The alpha that serves, judged as the candidates are.
    pub(super) fn verdict(&self) -> Verdict {
        Verdict {
            class: self.class,
            radius: self.radius,
            votes: self.votes,
            unfinished: false,
            likely: false,
        }
    }
}

/// What the models said, and what was made of it.
#[derive(Debug)]
pub(super) enum Observation {
    /// One row of each model for each input.
    Rows {
        outputs: PerRole<Vec<f32>>,
        served: Vec<Served>,
    },
    /// The votes for one input.
    Votes(Box<Votes>),
}

/// The votes for one input, and under which terms they were drawn.
#[derive(Debug)]
pub(super) struct Votes {
    /// `ln g`.
    pub(super) standard_log_probs: Vec<f64>,
    pub(super) trace: Trace,
    /// As it was asked for; its alpha and sides are those that served.
    pub(super) plan: SmoothingPlan,
    pub(super) vote_budget: u64,
    pub(super) snapping_loss: f64,
    pub(super) stop_reason: StopReason,
    pub(super) served: Served,
}

impl Observation {
    pub(super) fn inputs(&self) -> u64 {
        match self {
            Self::Rows { served, .. } => u64::try_from(served.len()).unwrap_or(u64::MAX),
            Self::Votes(_) => 1,
        }
    }

    /// How many numbers it holds: what it costs to keep.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Rows { outputs, served } => outputs.standard.len() + outputs.robust.len() + 4 * served.len(),
            Self::Votes(votes) => 2 * votes.standard_log_probs.len() + votes.trace.size(),
        }
    }
}
