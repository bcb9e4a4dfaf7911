//! `certimix health`: a probe of a running server, for containers and scripts.
//!
//! [`command`] has the arguments and the output. [`probe`] asks the server.

mod command;
mod probe;

pub use command::{HealthArgs, run};
