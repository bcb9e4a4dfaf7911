//! The scheduler: rows of all requests, in fair order, on executor threads that own both models.
//!
//! The unit of work is a row. A request is admitted or refused at once ([`Scheduler::admit`]); then it
//! submits jobs of rows and awaits each one ([`Reservation::submit`]). An executor is an OS thread that
//! owns a [`Backend`](crate::onnx::Backend) of each model. When it is free, it takes rows up to the
//! batch size of their model: interactive before bulk, then in fair order of the callers, then by
//! deadline. No timer delays a single row, unless the operator sets
//! one. A job whose caller has dropped its [`JobHandle`] is skipped, a run that no job needs is
//! terminated, and a job whose deadline has passed is answered without a run.
//!
//! [`queue`], [`admission`], [`row_time`], [`sustained_speed`], [`demand_meter`], [`remeasurement`],
//! [`model_health`] and [`wakeup`] decide, without clock or threads. [`executor`] and [`batch_run`] run. [`shared_state`] holds the one lock between them.

mod admission;
mod backlog;
mod batch_run;
mod batch_size;
mod caller_share;
mod capacity;
mod capped_sum;
mod demand_meter;
mod executor;
mod fair_order;
mod fair_queue;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod lateness;
mod model_health;
mod model_observer;
mod pause_meter;
mod processor_time;
mod queue;
mod refusal;
mod remeasurement;
mod reply_dispatcher;
mod reservation;
mod row_audit;
mod row_flaw_log;
mod row_job;
mod row_scheduler;
mod row_time;
mod scheduler_load;
mod shared_state;
mod sustained_speed;
#[cfg(test)]
mod tests;
mod urgency;
mod wakeup;

pub use admission::Demand;
pub use batch_size::{MeasuredBatch, best_time, measure_batch_size};
pub use caller_share::{CallerShare, CallerShares};
pub use capacity::bulk_capacity;
pub use model_observer::ModelObserver;
pub use refusal::Refusal;
pub use reservation::Reservation;
pub use row_job::{JobHandle, JobOutputs, RowSource, ScheduleError};
pub use row_scheduler::{QueueSettings, Scheduler};
pub use scheduler_load::{SchedulerLoad, WaitingRows};
