//! What an operator sees from outside: logs, traces and metrics, and the record of each call that they are made of.
//!
//! None of it may cost a request its time, or hold what a caller sent. Logs and traces hand over to threads of their own, through
//! queues that are bounded and count what they drop.

pub mod call;
mod export;
mod logs;
pub mod metrics;
pub mod models;
mod reports;
mod request_log;
mod span;
mod traces;

pub use logs::{LogFilterError, LogHandle, Logs, init_logs};
pub use reports::Reports;
pub use span::TraceContext;
pub use traces::{Tracer, Traces, TracesError};
