//! `certimix replay`: the votes of a served certificate, drawn again.
//!
//! [`matching`] finds the certificates of the given input and checks their model. [`command`] draws
//! the votes and compares them.

mod command;
mod matching;

pub use command::{ReplayArgs, run};
