//! A place in the queue for one request.

use std::sync::Arc;
use std::time::Instant;

use super::job::{Job, Pending, Ring as _, RowSource};
use super::shared::Shared;
use super::urgency::Urgency;
use crate::domain::{PerRole, Priority};

/// Room for the rows of one request. It is given back when this is dropped.
pub struct Reservation {
    pub(super) shared: Arc<Shared>,
    pub(super) request: Urgency,
    pub(super) outstanding: PerRole<usize>,
    pub(super) output_len: PerRole<usize>,
}

impl Reservation {
    /// How urgent its rows are, before their deadline.
    #[must_use]
    pub fn priority(&self) -> Priority {
        self.request.priority
    }

    /// By when its rows must have started: those that have not are answered [`ScheduleError::Expired`](super::ScheduleError).
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.request.deadline
    }

    /// Submits a job of `rows` rows of each model, made by `source`: row `i` of one model is made like row `i` of the other. The
    /// holder keeps no more outstanding than it was admitted with.
    #[must_use]
    pub fn submit(&self, source: Box<dyn RowSource>, rows: PerRole<usize>) -> Pending {
        let now = Instant::now();
        let (job, pending) = Job::new(source, rows, self.output_len, now, None);
        self.shared.submit(&job, self.request, rows, now);
        self.shared.ring();
        pending
    }

    /// The same for a holder that awaits the job at once: the executors are told of its rows after every other task that is
    /// ready now has submitted its own. Without being awaited it may never run.
    #[must_use]
    pub fn submit_with_others(&self, source: Box<dyn RowSource>, rows: PerRole<usize>) -> Pending {
        let ring = Arc::clone(&self.shared);
        let now = Instant::now();
        let (job, pending) = Job::new(source, rows, self.output_len, now, Some(ring));
        self.shared.submit(&job, self.request, rows, now);
        pending
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shared.release(&self.request, &self.outstanding);
    }
}
