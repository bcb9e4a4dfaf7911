//! Start-up: the settings, and the errors that end the process.

mod check_config;
mod failures;
mod init;
mod settings;
