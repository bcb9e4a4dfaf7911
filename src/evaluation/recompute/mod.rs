//! Statistics of any setting, computed from the records of an evaluation.
//!
//! [`Recomputation`] checks the records of one file. [`Recomputation::answers`] returns the answer of
//! one [`Setting`] for each input: the class and the radius are those that the server answers, by the
//! code that answers requests. [`Recomputation::summaries`] counts the answers of many settings. It
//! calls the same functions once for all settings that share their result, so its counts are those
//! of the answers.

mod error;
mod radius_grid;
mod recomputation;
mod row_counting;
mod setting;
mod summary;
mod summary_json;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]
mod tests;
mod vote_counting;

pub use error::RecomputeError;
pub use radius_grid::RadiusGrid;
pub use recomputation::Recomputation;
pub use setting::Setting;
pub use summary::{ClassCounts, SettingSummary};
