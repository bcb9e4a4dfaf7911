//! `certimix report`: writes the page of an evaluation, or of the shadow counts of a running service.
//!
//! [`command`] has the arguments and writes the file. [`records`] reads the records of an evaluation
//! and computes their report, [`images`] adds images from their data set.

mod command;
mod images;
mod records;

pub use command::{ReportArgs, run};
