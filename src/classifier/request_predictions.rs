//! The predictions for one request, and their cost.

use crate::domain::{PerRole, Prediction, RequestTimings};

/// The predictions for one request, and their cost.
#[derive(Debug, Default)]
pub struct RequestPredictions {
    /// One prediction for each input, in the order of the inputs.
    pub predictions: Vec<Prediction>,
    /// How the time was spent.
    pub timings: RequestTimings,
    /// The rows whose outputs came back, for each model.
    pub rows: PerRole<u64>,
    /// The counted votes of all inputs.
    pub votes: u64,
}

impl RequestPredictions {
    /// Appends the predictions of `next` and adds its cost.
    pub(super) fn append(mut self, next: Self) -> Self {
        self.predictions.extend(next.predictions);
        Self {
            predictions: self.predictions,
            timings: self.timings.merge(next.timings),
            rows: PerRole::of(|role| self.rows[role].saturating_add(next.rows[role])),
            votes: self.votes.saturating_add(next.votes),
        }
    }
}
