//! `certimix evaluate`: the outputs of both models for a labelled data set, as a record file.

mod command;
mod run_header;
mod service_args;
mod summary;
mod tsv;

pub use command::{EvaluateArgs, run};
