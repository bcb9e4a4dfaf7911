//! `certimix check-config`: finds everything that `certimix serve` would refuse, and explains keys.

mod command;
mod explain;
mod report;
mod typed_value;

pub(super) use command::{CheckConfigArgs, run};
