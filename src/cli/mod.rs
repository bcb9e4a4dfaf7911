//! The commands.
//!
//! [`serve`] and [`check_config`] are for operators, [`client`] for people who ask a running server, [`audit`] for people
//! who check what it said. [`output`] is the only place that writes to the terminal.

pub mod audit;
mod check_config;
pub mod client;
mod command;
pub mod output;
pub(crate) mod progress_bar;
mod serve;

pub use command::{Cli, run};
