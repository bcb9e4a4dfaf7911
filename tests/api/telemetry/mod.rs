//! Logs and traces.

mod log_lines;
mod logs;
mod traces;
