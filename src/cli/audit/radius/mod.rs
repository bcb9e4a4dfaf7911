//! `certimix radius`: bounds and radii from JSON lines.
//!
//! [`json_object`] reads a line. [`query`] checks its fields with a [`field_reader`].
//! [`evaluation`] computes the result. [`command`] prints it.

mod command;
mod evaluation;
mod field_reader;
mod json_object;
mod query;
mod query_lines;

pub use command::{RadiusArgs, run};
#[cfg(any(test, feature = "fuzzing"))]
pub(super) use evaluation::evaluate_line;
