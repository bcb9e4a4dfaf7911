//! What one request leaves for the candidates.

use crate::certificate::SmoothingPlan;
use crate::classifier::smoothing::vote_trace::VoteTrace;
use crate::domain::{PerRole, Prediction, Status, StopReason};

use super::shadow_counts::ShadowPrediction;

/// What was answered to one input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::classifier) struct ServedPrediction {
    pub(in crate::classifier) class: usize,
    /// What `g` alone would have answered.
    pub(in crate::classifier) standard_class: usize,
    /// 0 if not certified.
    pub(in crate::classifier) radius: f64,
    /// Estimation votes that were drawn.
    pub(in crate::classifier) votes: u64,
}

impl ServedPrediction {
    pub(in crate::classifier) fn new(prediction: &Prediction) -> Self {
        let certificate = &prediction.certificate;
        let votes = |sampling: &crate::domain::Sampling| sampling.votes_drawn.saturating_sub(sampling.selection_votes);
        Self {
            class: prediction.class,
            standard_class: prediction.standard_class,
            radius: match certificate.status {
                Status::Certified => certificate.radius,
                Status::Abstained | Status::Unavailable => 0.0,
            },
            votes: certificate.sampling.as_ref().map_or(0, votes),
        }
    }

    /// The alpha that serves, judged as the candidates are.
    pub(in crate::classifier) fn verdict(&self) -> ShadowPrediction {
        ShadowPrediction {
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
pub(in crate::classifier) enum Observation {
    /// One row of each model for each input.
    Rows {
        outputs: PerRole<Vec<f32>>,
        served: Vec<ServedPrediction>,
    },
    /// The votes for one input.
    VoteObservation(Box<VoteObservation>),
}

/// The votes for one input, and under which terms they were drawn.
#[derive(Debug)]
pub(in crate::classifier) struct VoteObservation {
    /// `ln g`.
    pub(in crate::classifier) standard_log_probs: Vec<f64>,
    pub(in crate::classifier) trace: VoteTrace,
    /// As it was asked for; its alpha and sides are those that served.
    pub(in crate::classifier) plan: SmoothingPlan,
    pub(in crate::classifier) vote_budget: u64,
    pub(in crate::classifier) snapping_loss: f64,
    pub(in crate::classifier) stop_reason: StopReason,
    pub(in crate::classifier) served: ServedPrediction,
}

impl Observation {
    pub(in crate::classifier) fn inputs(&self) -> u64 {
        match self {
            Self::Rows { served, .. } => u64::try_from(served.len()).unwrap_or(u64::MAX),
            Self::VoteObservation(_) => 1,
        }
    }

    /// How many numbers it holds: what it costs to keep.
    pub(in crate::classifier) fn size(&self) -> usize {
        match self {
            Self::Rows { outputs, served } => outputs.standard.len() + outputs.robust.len() + 4 * served.len(),
            Self::VoteObservation(votes) => 2 * votes.standard_log_probs.len() + votes.trace.size(),
        }
    }
}
