//! Shutdown: signals, the drain delay, draining and the drain deadline.

mod drain_deadline;
mod drain_delay;
mod draining;
mod service_manager;
mod signals;
