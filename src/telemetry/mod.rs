//! What an operator sees from outside: logs and metrics, and the record of each call that metrics and traces are made of.

pub mod call;
mod logs;
pub mod metrics;
pub mod models;

pub use logs::init_logs;
