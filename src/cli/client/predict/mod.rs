//! `certimix predict` classifies files and shows their certificates.

pub(super) mod command;
pub(super) mod stream;

pub use command::{PredictArgs, run};
