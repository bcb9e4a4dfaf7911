//! What an operator sees from outside: logs and traces.
//!
//! Neither may cost a request its time, or hold what a caller sent. Both hand over to threads of their own, through queues that
//! are bounded and count what they drop.

mod export;
mod logs;
mod span;
mod traces;

pub use logs::{LogFilterError, LogHandle, Logs, init_logs};
pub use span::{RequestSpan, TraceContext};
pub use traces::{Tracer, Traces, TracesError};
