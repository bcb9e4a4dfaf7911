//! The commands.
//!
//! - [`init`], [`serve`] and [`check_config`] are for operators.
//! - [`evaluate`] runs both models over a data set.
//! - [`client`] holds the commands that send requests to a running server.
//! - [`recommend`] chooses a mixture from the results of an evaluation.
//! - [`audit`] holds the commands that check served certificates offline.
//! - [`report`] writes the page of an evaluation or of a running service.
//! - [`completions`] and [`man_pages`] are for packagers.
//!
//! [`command`] parses the command line and dispatches. [`output`] is the only module that writes to
//! stdout and stderr. [`text_layout`] fits text into the columns of a terminal.

pub mod audit;
mod check_config;
pub mod client;
mod command;
mod completions;
mod evaluate;
mod init;
mod man_pages;
pub mod output;
mod progress_bar;
mod recommend;
mod report;
mod serve;
mod server_runtime;
mod service_manager;
mod text_layout;

pub use command::{Cli, run};
