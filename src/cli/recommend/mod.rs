//! `certimix recommend`: chooses alpha, `fallback_alpha` and the temperature from the results of an
//! evaluation.

mod command;
mod json;
mod tables;
mod text;

pub use command::{RecommendArgs, run};
