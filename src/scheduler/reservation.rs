//! The reserved queue capacity of one admitted request.

use std::sync::Arc;
use std::time::Instant;

use super::row_job::{Job, JobHandle, RowSource, WakeExecutors};
use super::shared_state::SharedState;
use super::urgency::AdmittedRequest;
use crate::domain::{PerRole, Priority};

/// Queue capacity for the rows of one request. Dropping it returns the capacity.
pub struct Reservation {
    pub(super) shared: Arc<SharedState>,
    pub(super) request: AdmittedRequest,
    /// The name of the caller in metrics.
    pub(super) caller_name: Arc<str>,
    pub(super) outstanding: PerRole<usize>,
    pub(super) output_len: PerRole<usize>,
}

impl Reservation {
    /// The priority of the request.
    #[must_use]
    pub fn priority(&self) -> Priority {
        self.request.urgency.priority
    }

    /// The time by which the rows must start. Later rows end with
    /// [`ScheduleError::Expired`](super::ScheduleError).
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.request.urgency.deadline
    }

    /// Submits a job with `rows` rows for each model. `source` produces row `i` of both models alike.
    /// The holder keeps no more rows outstanding than it was admitted with.
    #[must_use]
    pub fn submit(&self, source: Box<dyn RowSource>, rows: PerRole<usize>) -> JobHandle {
        let now = Instant::now();
        let (job, handle) = self.job(source, rows, now, None);
        self.shared.submit(&job, self.request, rows, now);
        self.shared.wake_executors();
        handle
    }

    /// Submits a job like [`Reservation::submit`], but notifies the executors only after all other
    /// ready tasks have run, so that their rows share a batch. The caller must await the handle at
    /// once: without a poll the job may never run.
    #[must_use]
    pub fn submit_coalesced(&self, source: Box<dyn RowSource>, rows: PerRole<usize>) -> JobHandle {
        let executors = Arc::clone(&self.shared);
        let now = Instant::now();
        let (job, handle) = self.job(source, rows, now, Some(executors));
        self.shared.submit(&job, self.request, rows, now);
        handle
    }

    fn job(
        &self,
        source: Box<dyn RowSource>,
        rows: PerRole<usize>,
        now: Instant,
        deferred_wake: Option<Arc<dyn WakeExecutors>>,
    ) -> (Arc<Job>, JobHandle) {
        let caller_name = Arc::clone(&self.caller_name);
        Job::new(source, rows, self.output_len, now, caller_name, deferred_wake)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shared.release(&self.request, &self.outstanding);
    }
}
