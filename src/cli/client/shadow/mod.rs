//! `certimix shadow`: shows how other mixtures would have answered the live traffic.
//!
//! [`command`] polls the server's report. [`table`] lays it out. [`row_text`] formats the numbers
//! of one row. [`json`] is the report for programs.

mod command;
mod json;
pub(in crate::cli::client) mod row_text;
mod table;

pub(super) use command::{NO_CANDIDATES, shadow_report};
pub use command::{ShadowArgs, run};
