//! The server from outside: the real application on a real socket, with small models whose truth is known exactly.
//!
//! One file for each behaviour; `support` starts servers and knows the truth. `tests/fixtures` holds the models.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on should say where"
)]

mod certify;
mod connections;
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
