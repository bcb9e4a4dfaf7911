//! Shadow alphas.

mod command;
mod reload;
mod report;
mod report_client;
