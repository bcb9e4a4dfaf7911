//! The one lock between callers and executors.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::job::{Job, Pending, RowSource, ScheduleError};
use super::queue::{Class, Full, Queue, Slice};

pub(super) struct Shared {
    state: Mutex<State>,
    work: Condvar,
    output_len: usize,
}

struct State {
    queue: Queue<Arc<Job>>,
    stopping: bool,
}

impl Shared {
    pub(super) fn new(capacity: usize, output_len: usize) -> Self {
        let state = State {
            queue: Queue::new(capacity),
            stopping: false,
        };
        Self {
            state: Mutex::new(state),
            work: Condvar::new(),
            output_len,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn reserve(self: &Arc<Self>, rows: usize, class: Class) -> Result<Reservation, Full> {
        self.state().queue.reserve(rows, class)?;
        Ok(Reservation {
            shared: Arc::clone(self),
            rows,
        })
    }

    fn submit(&self, job: Job, rows: usize, class: Class, deadline: Instant) {
        let mut state = self.state();
        if state.stopping {
            drop(state);
            job.fail(ScheduleError::Stopping);
            return;
        }
        state.queue.push(Arc::new(job), rows, class, deadline);
        state.queue.sweep(|job| job.is_dead());
        drop(state);
        self.work.notify_one();
    }

    /// Waits for work; `None` once the scheduler stops.
    pub(super) fn next_batch(&self, most: usize) -> Option<Vec<Slice<Arc<Job>>>> {
        let mut state = self.state();
        loop {
            if state.stopping {
                return None;
            }
            let taken = state.queue.take(Instant::now(), most, |job| job.is_dead());
            // More than one batch may have arrived while every other executor slept.
            let more = !state.queue.is_empty();
            for job in taken.expired {
                job.fail(ScheduleError::Expired);
            }
            if !taken.slices.is_empty() {
                drop(state);
                if more {
                    self.work.notify_one();
                }
                return Some(taken.slices);
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets the executors end after the batch they run; what waits is answered.
    pub(super) fn stop(&self) {
        let mut state = self.state();
        state.stopping = true;
        let left = state.queue.drain();
        drop(state);
        for job in left {
            job.fail(ScheduleError::Stopping);
        }
        self.work.notify_all();
    }
}

/// Room for rows of one caller. It is given back when this is dropped.
pub struct Reservation {
    shared: Arc<Shared>,
    rows: usize,
}

impl Reservation {
    /// Rows that the holder may have outstanding at a time.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Submits `rows` rows. The holder keeps at most [`Reservation::rows`] outstanding.
    ///
    /// Rows that have not started at `deadline` are answered [`ScheduleError::Expired`].
    #[must_use]
    pub fn submit(&self, source: Box<dyn RowSource>, rows: usize, class: Class, deadline: Instant) -> Pending {
        let (job, pending) = Job::new(source, rows, self.shared.output_len);
        self.shared.submit(job, rows, class, deadline);
        pending
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shared.state().queue.release(self.rows);
    }
}
