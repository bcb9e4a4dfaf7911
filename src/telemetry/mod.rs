//! Logs, traces and metrics: everything that an operator observes from outside.
//!
//! None of it delays a request or holds what a caller sent. Logs and traces go through bounded queues
//! to threads of their own; a full queue drops and counts.

mod call_exporter;
mod logs;
pub mod metrics;
mod panics;
mod queue_memory;
mod request_log;
mod source_place;
mod span;
mod span_queue;
mod traces;

pub use call_exporter::CallExporter;
pub use logs::{LogFilterError, LogHandle, Logs, init_logs};
pub use panics::log_panics;
pub use queue_memory::QUEUED_BYTES;
pub use traces::{Tracer, Traces, TracesError};
