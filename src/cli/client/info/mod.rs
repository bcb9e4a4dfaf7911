//! `certimix info`: shows the served models, guarantee and limits, as [`text`] or as [`json`].

mod command;
mod json;
mod text;

pub use command::{InfoArgs, run};
pub(super) use text::{predict_target_cap, target_text};
