//! `certimix report`: writes the page of an evaluation, or of the shadow counts of a running service.
//!
//! [`command`] has the arguments and writes the file. [`records`] reads the records of an evaluation
//! and computes their report.

mod command;
mod records;

pub use command::{ReportArgs, run};
