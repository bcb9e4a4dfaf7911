//! `certimix certify`: certifies files with the caller's own parameters.

mod args;
mod command;
mod stream;

pub use args::CertifyArgs;
pub use command::run;
