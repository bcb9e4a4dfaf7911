//! Shadow candidates.

mod command;
mod mixtures;
mod reload;
mod report;
mod report_client;
