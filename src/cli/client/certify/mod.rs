//! `certimix certify` certifies files with the caller's own parameters.

pub(super) mod command;
pub(super) mod stream;

pub use command::{CertifyArgs, run};
