//! The surface of the queue and of the admissions that the fuzz target drives.

use std::time::{Duration, Instant};

use crate::call::{Caller, Principal};
use crate::domain::{PerRole, Priority, Role};
use crate::scheduler::admission::{Admissions, Demand};
use crate::scheduler::caller_share::CallerShares;
use crate::scheduler::capacity::bulk_capacity;
use crate::scheduler::queue::{BatchLimits, ExecutorState, Queue, TakeResult};
use crate::scheduler::row_time::RowTimes;
use crate::scheduler::urgency::AdmittedRequest;

/// The identity of an admitted request.
pub(super) type Ticket = AdmittedRequest;

/// The time per row of both models.
const ROW_TIME: Duration = Duration::from_millis(1);
/// The same time in nanoseconds.
const ROW_COST: PerRole<u64> = PerRole {
    standard: 1_000_000,
    robust: 1_000_000,
};

/// A queue and the admissions in front of it, with a clock of its own.
pub(super) struct Subject {
    queue: Queue<usize>,
    admissions: Admissions,
    row_times: RowTimes,
    start: Instant,
    /// Milliseconds since the start.
    pub(super) clock: u64,
    pub(super) limits: BatchLimits,
}

impl Subject {
    pub(super) fn new(limits: BatchLimits, capacity: usize) -> Self {
        let row_time = PerRole {
            standard: ROW_TIME,
            robust: ROW_TIME,
        };
        Self {
            queue: Queue::new(limits),
            admissions: Admissions::new(capacity),
            row_times: RowTimes::new(row_time, limits.max_batch_size, 2, None),
            start: Instant::now(),
            clock: 0,
            limits,
        }
    }

    pub(super) fn at(&self, milliseconds: u64) -> Instant {
        self.start + Duration::from_millis(milliseconds)
    }

    pub(super) fn now(&self) -> Instant {
        self.at(self.clock)
    }

    /// Admits a request of `caller`, whose deadline is at a time in milliseconds.
    pub(super) fn admit(&mut self, caller: u8, priority: Priority, deadline: u64, demand: &Demand) -> Option<Ticket> {
        let (now, deadline) = (self.now(), self.at(deadline));
        let share = CallerShares::new(&[]).of(Caller {
            principal: Principal::UnixUser(u32::from(caller) / 2),
            connection: u64::from(caller),
        });
        let admitted = self
            .admissions
            .admit(&share, priority, deadline, demand, now, &self.row_times);
        admitted.ok()
    }

    /// The rows that all requests of `priority` together may have outstanding.
    pub(super) fn capacity(&self, priority: Priority) -> usize {
        match priority {
            Priority::Interactive => self.admissions.capacity(),
            Priority::Bulk => bulk_capacity(self.admissions.capacity()),
        }
    }

    pub(super) fn outstanding(&self) -> PerRole<usize> {
        self.admissions.outstanding()
    }

    /// Queues rows as the shared state does: a push, then a sweep beyond the capacity.
    pub(super) fn submit(
        &mut self,
        job: usize,
        ticket: Ticket,
        rows: PerRole<usize>,
        has_ended: impl Fn(&usize) -> bool,
    ) {
        let now = self.now();
        self.queue.push(&job, ticket, rows, now);
        self.queue.sweep(self.admissions.capacity(), has_ended);
    }

    pub(super) fn take(&mut self, executor: ExecutorState, has_ended: impl Fn(&usize) -> bool) -> TakeResult<usize> {
        self.queue.take(self.now(), executor, ROW_COST, has_ended)
    }

    pub(super) fn done(&mut self, ticket: &Ticket, role: Role, rows: usize) {
        self.admissions.done(ticket, role, rows);
    }

    pub(super) fn release(&mut self, ticket: &Ticket, outstanding: &PerRole<usize>) {
        self.admissions.release(ticket, outstanding);
    }

    pub(super) fn drain(&mut self, role: Role) -> Vec<usize> {
        self.queue.drain(role)
    }

    /// The rows that wait, with those of ended jobs that are not swept yet.
    pub(super) fn queued_rows(&self) -> PerRole<usize> {
        self.queue.rows()
    }

    /// The rows of both priorities that wait, without those of ended jobs.
    pub(super) fn waiting_rows(&self, has_ended: impl Fn(&usize) -> bool + Copy) -> PerRole<usize> {
        let of = |priority| self.queue.waiting(priority, self.now(), has_ended);
        let (interactive, bulk) = (of(Priority::Interactive), of(Priority::Bulk));
        PerRole::of(|role| interactive[role].rows + bulk[role].rows)
    }
}
