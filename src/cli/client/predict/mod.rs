//! `certimix predict`: classifies files and shows their certificates.

mod command;
mod stream;

pub use command::{PredictArgs, run};
