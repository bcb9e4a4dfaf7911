//! The answer to one request, and what it cost.

use crate::domain::{PerRole, Prediction, Timings};

/// The answer to one request, and what it cost.
#[derive(Debug, Default)]
pub struct PredictionBatch {
    /// One for each input, in their order.
    pub predictions: Vec<Prediction>,
    /// Where the time went.
    pub timings: Timings,
    /// Rows whose outputs came back, of each model.
    pub rows: PerRole<u64>,
    /// Votes that were counted, of all inputs.
    pub votes: u64,
}

impl PredictionBatch {
    /// With the answer for the next inputs.
    pub(super) fn and(mut self, next: Self) -> Self {
        self.predictions.extend(next.predictions);
        Self {
            predictions: self.predictions,
            timings: self.timings.and(next.timings),
            rows: PerRole::of(|role| self.rows[role].saturating_add(next.rows[role])),
            votes: self.votes.saturating_add(next.votes),
        }
    }
}
