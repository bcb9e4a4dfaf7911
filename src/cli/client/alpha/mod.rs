//! `certimix alpha` reads and changes alpha of a running server.

pub(super) mod command;
pub(super) mod settings_file;

pub use command::{AlphaArgs, run};
