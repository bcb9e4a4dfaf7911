//! One scheduler for everything: rows of all requests, most urgent first, on the executors of one model.
//!
//! The unit of work is a row. A caller reserves room for the rows it will have outstanding ([`Scheduler::reserve`]), then
//! submits jobs of rows and awaits each ([`Reservation::submit`]). An executor is an OS thread that owns a
//! [`Backend`](crate::onnx::Backend); whenever it is free it takes the most urgent rows there are, up to its batch: no
//! timer makes a lone row wait. A job whose caller dropped its [`Pending`] is skipped, one whose deadline has passed is
//! answered without a run.
//!
//! [`queue`] decides, without clock or threads; `executor` runs; `shared` is the one lock between them.

mod executor;
mod job;
mod queue;
mod shared;

pub use executor::Scheduler;
pub use job::{Pending, RowSource, ScheduleError};
pub use queue::{Class, Full, bulk_capacity};
pub use shared::Reservation;
