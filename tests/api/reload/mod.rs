//! Configuration changes while the server runs.

mod access;
mod access_alone;
mod alpha_command;
mod client_authorities;
mod config_file;
mod fallback_alpha;
mod in_flight;
mod limits;
mod metrics;
mod model_files;
mod overridden_keys;
mod secrets;
mod unreadable_files;
mod watched_files;
