//! The commands.
//!
//! - [`serve`] and [`check_config`] are for operators.
//! - [`client`] holds the commands that send requests to a running server.
//! - [`audit`] holds the commands that check served certificates offline.
//! - [`completions`] and [`man_pages`] are for packagers.
//!
//! [`command`] parses the command line and dispatches. [`output`] is the only module that writes to
//! stdout and stderr. [`text_layout`] fits text into the columns of a terminal.

pub mod audit;
mod check_config;
pub mod client;
mod command;
mod completions;
mod man_pages;
pub mod output;
mod progress_bar;
mod serve;
mod server_runtime;
mod text_layout;

pub use command::{Cli, run};
