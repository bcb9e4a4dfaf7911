//! Predictions from recorded outputs of both models, for any mixture.
//!
//! An evaluation keeps the outputs of both models for each input. This module answers for one input
//! and one mixture exactly as the server does: [`RecordedRows`] for a row of each model,
//! [`VoteReplay`] for a row of the standard model and the votes of a smoothed one. Both call the
//! functions that answer requests, and let the caller keep what does not depend on alpha, the
//! temperature or the weights.

mod answer;
mod rows;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]
mod tests;
mod votes;

pub use answer::RecomputedAnswer;
pub use rows::{RecordedRows, RowsAtTemperature};
pub use votes::{RecordedVotes, VoteConditions, VoteProof, VoteReplay, chunk_votes_for};
