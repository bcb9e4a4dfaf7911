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

mod alpha_command;
mod bad_input;
mod bundled_models;
mod cancel;
mod certificates;
mod certify;
mod concurrency;
mod connection_age;
mod curfew;
mod deadline;
mod drain_delay;
mod draining;
mod fuzz;
mod garbage;
mod half_space;
mod halting;
mod health;
mod info;
mod logs;
mod metrics;
mod metrics_read;
mod open_inference;
mod open_inference_errors;
mod overload;
mod peers;
mod predict;
mod predict_stream;
mod priority;
mod proof;
mod reference;
mod reflection;
mod reload;
mod reload_access;
mod reload_in_flight;
mod reload_limits;
mod reload_metrics;
mod row_independence;
mod self_test;
mod settings;
mod shadow;
mod smoothing;
mod snapping;
mod startup;
mod stopping;
mod stream;
mod support;
mod tls;
mod tokens;
mod traces;
mod tritonclient;
mod unix_socket;
