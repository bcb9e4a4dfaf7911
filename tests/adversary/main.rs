//! Attacks on a running server, each at a size that a small machine bears.
//!
//! Each file holds one kind of attack, and states what the server promises beside it. An attack
//! speaks raw HTTP/2 frames ([`raw_http2`]) where a library would refuse to. An [`honest_caller`]
//! sends requests meanwhile: what it receives is the measure of the defence.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test stops at the first surprise"
)]

mod attacks;
mod auxiliary_streams;
mod call_outcomes;
mod cancels;
mod connections;
mod flood;
#[allow(dead_code, reason = "each attack uses a part")]
mod honest_caller;
mod http2_client;
mod memory;
mod metrics_port;
mod peers;
#[allow(dead_code, reason = "each attack uses a part")]
mod raw_http2;
mod refusals;
mod resident_memory;
mod starvation;
#[path = "../api/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the API tests use the rest")]
mod support;
mod well_behaved;
mod wire_thread;
