//! Runs each target on stable Rust: its corpus first, then mutations of it.
//!
//! `CERTIMIX_FUZZ_SECONDS` bounds the time of each target, and `CERTIMIX_FUZZ_SEED` selects the
//! mutations. The same seed gives the same inputs in the same order.

mod answered_messages;
mod corpus;
mod data_set_seeds;
mod layout;
mod mutations;
mod panics;
mod runner;
mod seeds;

pub(super) use runner::run;
