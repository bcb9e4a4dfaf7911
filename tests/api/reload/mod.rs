//! Configuration changes while the server runs.

mod access;
mod alpha_command;
mod config_file;
mod fallback_alpha;
mod in_flight;
mod limits;
mod metrics;
