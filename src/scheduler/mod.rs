//! One scheduler for everything: rows of all requests, most urgent first, on executors that own both models.
//!
//! The unit of work is a row. A request is let in or refused at once ([`Scheduler::admit`]), then submits jobs of rows and
//! awaits each ([`Reservation::submit`]). An executor is an OS thread that owns a [`Backend`](crate::onnx::Backend) of each
//! model; whenever it is free it takes the most urgent rows there are, up to that model's batch: no timer makes a lone row
//! wait, unless the operator wants one. A job whose caller dropped its [`Pending`] is skipped, and a run that nobody waits
//! for is ended; a job whose deadline has passed is answered without a run.
//!
//! [`queue`], [`admission`], [`speed`], [`condition`] and [`bell`] decide, without clock or threads; [`executor`] and [`batch`]
//! run; [`shared`] is the one lock between them.

mod admission;
mod audit;
mod batch;
mod bell;
mod condition;
mod executor;
mod flaw_log;
mod job;
mod load;
mod measure;
mod observer;
mod pool;
mod post;
mod queue;
mod reservation;
mod shared;
mod speed;
#[cfg(test)]
mod tests;
mod urgency;

pub use admission::{Demand, Refusal, bulk_capacity};
pub use job::{Outputs, Pending, RowSource, ScheduleError};
pub use load::{SchedulerLoad, WaitingRows};
pub use measure::{Measured, best_time, measure_batch_size};
pub use observer::ModelObserver;
pub use pool::{QueueSettings, Scheduler};
pub use reservation::Reservation;
