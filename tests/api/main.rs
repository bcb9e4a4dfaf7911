//! Tests of the server from outside: the real application, on a real socket, with small models
//! whose results are known exactly.
//!
//! Each folder covers an area and each file a behaviour. `support` starts servers and computes the
//! expected results. `tests/fixtures` holds the models.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test stops at the first surprise"
)]

mod certify;
mod client;
mod connections;
mod evaluate;
mod metrics;
mod models;
mod open_inference;
mod predict;
mod reload;
mod requests;
mod services;
mod shadow;
mod shutdown;
mod startup;
mod support;
mod telemetry;
