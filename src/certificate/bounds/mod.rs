//! Bounds on a probability from counts of votes.

pub mod anytime;
pub mod clopper_pearson;
pub(in crate::certificate) mod total_variation;
