//! `certimix shadow` shows the statistics of candidate alphas.

pub(super) mod command;
pub(super) mod table;

pub use command::{ShadowArgs, run};
