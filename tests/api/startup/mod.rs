//! Start-up: the settings, and the errors that end the process.

mod failures;
mod settings;
