//! From vote counts to bounds on a probability.

pub mod anytime;
pub mod clopper_pearson;
