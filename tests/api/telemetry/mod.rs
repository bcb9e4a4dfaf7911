//! Logs and traces.

mod logs;
mod traces;
