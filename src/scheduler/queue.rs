//! The queue of rows: a state machine without clock, threads or models.
//!
//! Interactive rows run before bulk rows, except that bulk rows keep [`BULK_SHARE`] of the time while
//! they wait. Among rows of one priority, [`FairQueue`] decides.

use std::time::{Duration, Instant};

use super::fair_queue::{FairQueue, JobSlice, WaitingJob};
use super::scheduler_load::WaitingRows;
use super::urgency::AdmittedRequest;
use crate::domain::{PerRole, Priority, Role};

/// Bulk rows keep one part in this many of the time, however many interactive rows wait.
pub(super) const BULK_SHARE: u64 = 10;
/// A batch takes at most one part in this many of its rows from one connection, before it takes rows
/// of the next connection.
const TURNS_IN_BATCH: usize = 8;
/// A caller does not wait for one model for more than this many batches' time of its service by the
/// other model.
const MAX_LAG: u64 = 4;

/// The limits of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchLimits {
    /// The largest number of rows in one run.
    pub(super) max_batch_size: PerRole<usize>,
    /// Whether a run of fewer rows is padded and costs as much as a full one.
    pub(super) pads: PerRole<bool>,
    /// How long rows may wait for a fuller batch; zero does not wait.
    pub(super) max_queue_delay: Duration,
}

/// The state of the executor that takes a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct ExecutorState {
    /// The models that the executor can run.
    pub(super) able: PerRole<bool>,
    /// The model whose weights are in the cache of the processor. The executor may continue with it
    /// while rows of both models with the same priority wait.
    pub(super) prefers: Option<Role>,
    /// Other idle executors. This one leaves them their share of the waiting rows.
    pub(super) idle_others: usize,
}

/// The order of the priorities at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Bulk rows that are owed time.
    BulkDue,
    Interactive,
    Bulk,
}

/// Rows of one model to run now.
#[derive(Debug, PartialEq)]
pub(super) struct Batch<J> {
    pub(super) role: Role,
    /// The slices in the order in which they were taken. Together they have at least one row and at
    /// most the batch size.
    pub(super) slices: Vec<JobSlice<J>>,
}

impl<J> Batch<J> {
    /// The number of rows.
    pub(super) fn rows(&self) -> usize {
        self.slices.iter().map(|slice| slice.rows.len()).sum()
    }
}

/// The result of [`Queue::take`].
#[derive(Debug, PartialEq)]
pub(super) struct TakeResult<J> {
    pub(super) batch: Option<Batch<J>>,
    /// Jobs whose deadline has passed. They are answered without a run.
    pub(super) expired: Vec<J>,
    /// The time at which rows stop waiting for a fuller batch; only without a batch.
    pub(super) retry_at: Option<Instant>,
}

/// The rows that wait for both models.
#[derive(Debug)]
pub(super) struct Queue<J> {
    interactive: FairQueue<J>,
    bulk: FairQueue<J>,
    limits: BatchLimits,
    jobs: u64,
    /// The time in nanoseconds that bulk rows are owed for interactive rows that ran before them.
    owed_to_bulk: u64,
}

impl<J: Clone> Queue<J> {
    pub(super) fn new(limits: BatchLimits) -> Self {
        Self {
            interactive: FairQueue::default(),
            bulk: FairQueue::default(),
            limits,
            jobs: 0,
            owed_to_bulk: 0,
        }
    }

    /// Queues rows of `job`, which belongs to `request`, for each model.
    pub(super) fn push(&mut self, job: &J, request: AdmittedRequest, rows: PerRole<usize>, now: Instant) {
        self.jobs += 1;
        let number = self.jobs;
        let queue = self.of_mut(request.urgency.priority);
        for role in Role::ALL.into_iter().filter(|&role| rows[role] > 0) {
            let waiting = WaitingJob {
                job: job.clone(),
                request,
                rows: 0..rows[role],
                since: now,
            };
            queue.push(role, number, waiting);
        }
    }

    /// Takes the next batch. Drops jobs for which `has_ended` is true, and returns jobs whose deadline
    /// has passed separately. A row costs `row_cost` nanoseconds of an executor.
    pub(super) fn take(
        &mut self,
        now: Instant,
        executor: ExecutorState,
        row_cost: PerRole<u64>,
        has_ended: impl Fn(&J) -> bool,
    ) -> TakeResult<J> {
        let mut taken = TakeResult {
            batch: None,
            expired: Vec::new(),
            retry_at: None,
        };
        let mut best: Option<(Rank, Role)> = None;
        for role in Role::ALL.into_iter().filter(|&role| executor.able[role]) {
            for priority in [Priority::Interactive, Priority::Bulk] {
                self.of_mut(priority)
                    .drop_ended_and_expired(role, now, &has_ended, &mut taken.expired);
            }
            let Some(rank) = self.rank(role, row_cost) else {
                continue;
            };
            let ready = self.ready_at(role);
            if ready.is_some_and(|ready| ready > now) {
                taken.retry_at = [taken.retry_at, ready].into_iter().flatten().min();
            } else if best.is_none_or(|best| self.comes_first((rank, role), best, executor.prefers, row_cost)) {
                best = Some((rank, role));
            }
        }
        if let Some((_, role)) = best {
            let max_rows = self.share(role, executor);
            let slices = self.fill(role, max_rows, now, row_cost, &has_ended, &mut taken.expired);
            taken.batch = Some(Batch { role, slices });
            taken.retry_at = None;
        }
        taken
    }

    fn of(&self, priority: Priority) -> &FairQueue<J> {
        match priority {
            Priority::Interactive => &self.interactive,
            Priority::Bulk => &self.bulk,
        }
    }

    fn of_mut(&mut self, priority: Priority) -> &mut FairQueue<J> {
        match priority {
            Priority::Interactive => &mut self.interactive,
            Priority::Bulk => &mut self.bulk,
        }
    }

    /// The rank of the first row of `role`.
    fn rank(&self, role: Role, row_cost: PerRole<u64>) -> Option<Rank> {
        if self.is_bulk_due(role, row_cost) {
            Some(Rank::BulkDue)
        } else if self.interactive.has_rows(role) {
            Some(Rank::Interactive)
        } else {
            self.bulk.has_rows(role).then_some(Rank::Bulk)
        }
    }

    /// Whether the first row of one model comes before that of the other model.
    fn comes_first(
        &self,
        (rank, role): (Rank, Role),
        (other_rank, other): (Rank, Role),
        prefers: Option<Role>,
        row_cost: PerRole<u64>,
    ) -> bool {
        if rank != other_rank {
            return rank < other_rank;
        }
        if let Some(preferred) = prefers {
            return preferred == role;
        }
        let batch = Role::ALL.map(|role| cost(self.limits.max_batch_size[role], row_cost[role]));
        let lag = MAX_LAG.saturating_mul(batch.into_iter().max().unwrap_or_default());
        let queue = match rank {
            Rank::Interactive => &self.interactive,
            Rank::BulkDue | Rank::Bulk => &self.bulk,
        };
        queue.comes_first(role, other, lag)
    }

    /// Whether waiting bulk rows of `role` are owed at least a batch.
    fn is_bulk_due(&self, role: Role, row_cost: PerRole<u64>) -> bool {
        let rows = self.bulk.rows()[role].min(self.limits.max_batch_size[role]);
        rows > 0 && self.owed_to_bulk >= cost(rows, row_cost[role])
    }

    /// The number of rows of `role` that `executor` may take.
    fn share(&self, role: Role, executor: ExecutorState) -> usize {
        let max_rows = self.limits.max_batch_size[role];
        if self.limits.pads[role] {
            return max_rows;
        }
        let able = Role::ALL.into_iter().filter(|&role| executor.able[role]);
        let rows = self.rows();
        let waiting: usize = able.map(|role| rows[role]).sum();
        max_rows.min(waiting.div_ceil(executor.idle_others + 1)).max(1)
    }

    /// Takes up to `max_rows` rows of `role`, in turns of a few rows. Rows of one job are one slice.
    fn fill(
        &mut self,
        role: Role,
        max_rows: usize,
        now: Instant,
        row_cost: PerRole<u64>,
        has_ended: &impl Fn(&J) -> bool,
        expired: &mut Vec<J>,
    ) -> Vec<JobSlice<J>> {
        let turn = (self.limits.max_batch_size[role] / TURNS_IN_BATCH).max(1);
        let mut slices: Vec<JobSlice<J>> = Vec::new();
        let mut free = max_rows;
        let mut is_bulk_due = self.is_bulk_due(role, row_cost);
        while free > 0 {
            for priority in [Priority::Interactive, Priority::Bulk] {
                self.of_mut(priority)
                    .drop_ended_and_expired(role, now, has_ended, expired);
            }
            let priority = match (self.interactive.has_rows(role), self.bulk.has_rows(role)) {
                (false, false) => break,
                (true, true) if is_bulk_due => Priority::Bulk,
                (true, _) => Priority::Interactive,
                (false, true) => Priority::Bulk,
            };
            let Some(slice) = self.of_mut(priority).take(role, turn.min(free), row_cost[role]) else {
                break;
            };
            free -= slice.rows.len();
            self.settle(priority, slice.rows.len(), role, row_cost);
            is_bulk_due = is_bulk_due && self.owed_to_bulk > 0;
            let same_job = slices.iter_mut().rev().find(|taken| taken.number == slice.number);
            match same_job {
                Some(taken) => taken.rows.end = slice.rows.end,
                None => slices.push(slice),
            }
        }
        slices
    }

    /// Accounts for `rows` rows of `role` that were taken: interactive rows before waiting bulk rows
    /// leave a debt, and bulk rows reduce it. The debt is at most two batches.
    fn settle(&mut self, priority: Priority, rows: usize, role: Role, row_cost: PerRole<u64>) {
        let cost_of_rows = cost(rows, row_cost[role]);
        let most = Role::ALL
            .into_iter()
            .map(|role| cost(2 * self.limits.max_batch_size[role], row_cost[role]));
        let most = most.max().unwrap_or_default();
        let waits = Role::ALL.into_iter().any(|role| self.bulk.rows()[role] > 0);
        self.owed_to_bulk = match priority {
            Priority::Bulk => self.owed_to_bulk.saturating_sub(cost_of_rows),
            Priority::Interactive if waits => self
                .owed_to_bulk
                .saturating_add(cost_of_rows / (BULK_SHARE - 1))
                .min(most),
            Priority::Interactive => self.owed_to_bulk,
        };
    }

    /// The time at which the rows of `role` stop waiting for a fuller batch; `None` if they need not wait.
    fn ready_at(&self, role: Role) -> Option<Instant> {
        let delay = self.limits.max_queue_delay;
        if delay.is_zero() || self.rows()[role] >= self.limits.max_batch_size[role] {
            return None;
        }
        // There are fewer entries than rows in a batch. Half of the time until a deadline is kept for the run.
        let wait_until = |waiting: &WaitingJob<J>| {
            let left = waiting
                .request
                .urgency
                .deadline
                .saturating_duration_since(waiting.since);
            waiting.since + delay.min(left / 2)
        };
        self.interactive
            .jobs(role)
            .chain(self.bulk.jobs(role))
            .map(wait_until)
            .min()
    }

    /// Removes the ended jobs of each model with more than `max_rows` waiting rows. A caller who leaves
    /// returns its capacity at once, but its jobs stay queued, and behind more urgent jobs they might
    /// stay forever.
    pub(super) fn sweep(&mut self, max_rows: usize, has_ended: impl Fn(&J) -> bool) {
        for role in Role::ALL {
            if self.rows()[role] > max_rows {
                self.interactive.remove_ended(role, &has_ended);
                self.bulk.remove_ended(role, &has_ended);
            }
        }
    }

    /// The number of waiting rows, by model.
    pub(super) fn rows(&self) -> PerRole<usize> {
        let (interactive, bulk) = (self.interactive.rows(), self.bulk.rows());
        PerRole::of(|role| interactive[role] + bulk[role])
    }

    /// The waiting rows of `priority` without ended jobs, and the age of the oldest. The call visits
    /// every job, so it is meant for occasional readers.
    pub(super) fn waiting(
        &self,
        priority: Priority,
        now: Instant,
        has_ended: impl Fn(&J) -> bool,
    ) -> PerRole<WaitingRows> {
        let of = |role: Role| {
            let mut found = WaitingRows::default();
            for waiting in self.of(priority).jobs(role).filter(|waiting| !has_ended(&waiting.job)) {
                found.rows += waiting.rows.len();
                found.oldest = found.oldest.max(now.saturating_duration_since(waiting.since));
            }
            found
        };
        PerRole::of(of)
    }

    /// Removes and returns every job that waits for `role`.
    pub(super) fn drain(&mut self, role: Role) -> Vec<J> {
        let mut drained = self.interactive.drain(role);
        drained.extend(self.bulk.drain(role));
        drained
    }
}

/// The time in nanoseconds that one executor needs for `rows` rows.
fn cost(rows: usize, row_cost: u64) -> u64 {
    row_cost.saturating_mul(u64::try_from(rows).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
