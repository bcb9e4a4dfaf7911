//! `certimix replay`: the votes of a served certificate, drawn again.

mod command;

pub use command::{ReplayArgs, run};
