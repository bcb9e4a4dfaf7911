//! `certimix alpha`: reads and changes alpha of a running server.

mod command;
mod served_alpha;
mod set;
mod settings_file;

pub use command::{AlphaArgs, run};
