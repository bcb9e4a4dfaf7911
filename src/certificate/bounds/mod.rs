//! From vote counts to bounds on a probability.

pub mod anytime;
pub mod clopper_pearson;
pub(in crate::certificate) mod total_variation;
