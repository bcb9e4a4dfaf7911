//! Evaluations: the outputs of both models for every input of a labelled data set.
//!
//! An [`EvaluationRecord`] keeps the outputs of both models for one input before they are mixed.
//! Predictions, radii and statistics for any mixture follow from the records alone.

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]
mod examples;
pub mod recompute;
mod record;

pub use record::{
    DataSetIdentity, EvaluatedModel, EvaluationHeader, EvaluationRecord, EvaluationSettings, RobustOutput,
    SamplingConditions,
};
