//! Start-up: the settings, and the errors that end the process.

mod accept_before_ready;
mod check_config;
mod failures;
mod init;
mod settings;
