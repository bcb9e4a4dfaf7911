//! The scheduler: rows of all requests, most urgent first, on executor threads that own both models.
//!
//! The unit of work is a row. A request is admitted or refused at once ([`Scheduler::admit`]); then it
//! submits jobs of rows and awaits each one ([`Reservation::submit`]). An executor is an OS thread that
//! owns a [`Backend`](crate::onnx::Backend) of each model. When it is free, it takes the most urgent
//! rows, up to the batch size of their model. No timer delays a single row, unless the operator sets
//! one. A job whose caller has dropped its [`JobHandle`] is skipped, a run that no job needs is
//! terminated, and a job whose deadline has passed is answered without a run.
//!
//! [`queue`], [`admission`], [`row_time`], [`model_health`] and [`wakeup`] decide, without clock or
//! threads. [`executor`] and [`batch_run`] run. [`shared_state`] holds the one lock between them.

mod admission;
mod batch_run;
mod batch_size;
mod executor;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod model_health;
mod model_observer;
mod queue;
mod reply_dispatcher;
mod reservation;
mod row_audit;
mod row_flaw_log;
mod row_job;
mod row_scheduler;
mod row_time;
mod scheduler_load;
mod shared_state;
#[cfg(test)]
mod tests;
mod urgency;
mod wakeup;

pub use admission::{Demand, Refusal, bulk_capacity};
pub use batch_size::{MeasuredBatch, best_time, measure_batch_size};
pub use model_observer::ModelObserver;
pub use reservation::Reservation;
pub use row_job::{JobHandle, JobOutputs, RowSource, ScheduleError};
pub use row_scheduler::{QueueSettings, Scheduler};
pub use scheduler_load::{SchedulerLoad, WaitingRows};
