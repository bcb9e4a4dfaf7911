//! `certimix recommend`: chooses alpha, `fallback_alpha` and the temperature from the results of an
//! evaluation.

mod command;
mod json;
mod tables;
mod text;

pub use command::{RecommendArgs, run};
pub(super) use command::{parse_radius, parse_share, settings_in_force};
