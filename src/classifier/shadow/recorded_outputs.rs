//! The record of one served request that the candidates are evaluated on.

use super::shadow_prediction::ServedPrediction;
use crate::certificate::VoteRule;
use crate::classifier::smoothing::target_radius::TargetRadius;
use crate::classifier::smoothing::vote_trace::VoteTrace;
use crate::domain::{PerRole, StopReason};

/// The outputs of the models, and the predictions that were served from them.
#[derive(Debug)]
pub(super) enum RecordedOutputs {
    /// One row of each model for each input.
    Rows {
        outputs: PerRole<Vec<f32>>,
        served: Vec<ServedPrediction>,
    },
    /// The votes for one input.
    Votes(Box<VoteObservation>),
}

/// The votes for one input, and the conditions under which they were drawn.
#[derive(Debug)]
pub(super) struct VoteObservation {
    /// `ln g`.
    pub(super) standard_log_probs: Vec<f64>,
    pub(super) trace: VoteTrace,
    /// The rule of the request, with the alpha in force. Its sides are not chosen yet.
    pub(super) rule: VoteRule,
    /// The target of the request, before the cap of the serving alpha.
    pub(super) target: Option<TargetRadius>,
    pub(super) stop_reason: StopReason,
    pub(super) served: ServedPrediction,
}

impl RecordedOutputs {
    pub(super) fn input_count(&self) -> u64 {
        match self {
            Self::Rows { served, .. } => u64::try_from(served.len()).unwrap_or(u64::MAX),
            Self::Votes(_) => 1,
        }
    }

    /// The number of values that the observation holds, as a measure of its memory.
    pub(super) fn value_count(&self) -> usize {
        match self {
            Self::Rows { outputs, served } => outputs.standard.len() + outputs.robust.len() + 4 * served.len(),
            Self::Votes(votes) => 2 * votes.standard_log_probs.len() + votes.trace.value_count(),
        }
    }
}
