//! The client of `clients/rust` against the real binary, and against servers that misbehave.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at the first surprise"
)]

mod calls;
mod control_loop;
mod credentials;
mod documents;
mod generated;
mod misbehaving_servers;
mod restarts;
mod support;
mod votes;
