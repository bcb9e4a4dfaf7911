//! `certimix info` shows the served models, guarantee and limits.

pub(super) mod command;

pub use command::{InfoArgs, run};
