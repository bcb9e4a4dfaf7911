//! The queue of rows: a state machine without clock, threads or models.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::scheduler_load::WaitingRows;
use super::urgency::Urgency;
use crate::domain::{PerRole, Priority, Role};

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

impl ExecutorState {
    fn prefers_first(self, one: (Urgency, Role), other: (Urgency, Role)) -> bool {
        let preferred = |(_, role)| self.prefers == Some(role);
        if one.0.priority == other.0.priority && preferred(one) != preferred(other) {
            return preferred(one);
        }
        one.0 < other.0
    }
}

/// Consecutive rows of one job that run together.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct JobSlice<J> {
    pub(super) job: J,
    pub(super) request: Urgency,
    pub(super) rows: Range<usize>,
}

/// Rows of one model to run now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch<J> {
    pub(super) role: Role,
    /// The slices, most urgent first. Together they have at least one row and at max_rows the batch size.
    pub(super) slices: Vec<JobSlice<J>>,
}

impl<J> Batch<J> {
    /// The number of rows.
    pub(super) fn rows(&self) -> usize {
        self.slices.iter().map(|slice| slice.rows.len()).sum()
    }
}

/// The result of [`Queue::take`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TakeResult<J> {
    pub(super) batch: Option<Batch<J>>,
    /// Jobs whose deadline has passed. They are answered without a run.
    pub(super) expired: Vec<J>,
    /// The time at which rows stop waiting for a fuller batch; only without a batch.
    pub(super) retry_at: Option<Instant>,
}

/// Rows of one job that wait.
#[derive(Debug)]
struct WaitingJob<J> {
    job: J,
    rows: Range<usize>,
    since: Instant,
}

/// The rows that wait for one model.
#[derive(Debug)]
struct ModelQueue<J> {
    /// The waiting jobs by urgency. Jobs of one request keep their order.
    waiting: BTreeMap<(Urgency, u64), WaitingJob<J>>,
    /// The number of waiting rows. It includes jobs that have ended, until they are swept.
    rows: usize,
}

/// The rows that wait for both models.
#[derive(Debug)]
pub(super) struct Queue<J> {
    models: PerRole<ModelQueue<J>>,
    limits: BatchLimits,
    jobs: u64,
}

impl<J: Clone> Queue<J> {
    pub(super) fn new(limits: BatchLimits) -> Self {
        let queue = |_| ModelQueue {
            waiting: BTreeMap::new(),
            rows: 0,
        };
        Self {
            models: PerRole::of(queue),
            limits,
            jobs: 0,
        }
    }

    /// Queues rows of `job`, which belongs to `request`, for each model.
    pub(super) fn push(&mut self, job: &J, request: Urgency, rows: PerRole<usize>, now: Instant) {
        self.jobs += 1;
        for role in Role::ALL.into_iter().filter(|&role| rows[role] > 0) {
            let (queue, rows) = (&mut self.models[role], 0..rows[role]);
            queue.rows += rows.len();
            let waiting = WaitingJob {
                job: job.clone(),
                rows,
                since: now,
            };
            queue.waiting.insert((request, self.jobs), waiting);
        }
    }

    /// Takes the next batch: the most urgent rows of the model with the most urgent row. Drops jobs for
    /// which `has_ended` is true, and returns jobs whose deadline has passed separately.
    pub(super) fn take(
        &mut self,
        now: Instant,
        executor: ExecutorState,
        has_ended: impl Fn(&J) -> bool,
    ) -> TakeResult<J> {
        let mut taken = TakeResult {
            batch: None,
            expired: Vec::new(),
            retry_at: None,
        };
        let mut best: Option<(Urgency, Role)> = None;
        for role in Role::ALL.into_iter().filter(|&role| executor.able[role]) {
            let queue = &mut self.models[role];
            queue.drop_ended_and_expired(now, &has_ended, &mut taken.expired);
            let Some(first) = queue.first() else { continue };
            let ready = queue.ready_at(self.limits.max_batch_size[role], self.limits.max_queue_delay);
            if ready.is_some_and(|ready| ready > now) {
                taken.retry_at = [taken.retry_at, ready].into_iter().flatten().min();
            } else if best.is_none_or(|best| executor.prefers_first((first, role), best)) {
                best = Some((first, role));
            }
        }
        if let Some((_, role)) = best {
            let max_rows = self.share(role, executor);
            let slices = self.models[role].take(now, max_rows, &has_ended, &mut taken.expired);
            taken.batch = Some(Batch { role, slices });
            taken.retry_at = None;
        }
        taken
    }

    /// The number of rows of `role` that `executor` may take.
    fn share(&self, role: Role, executor: ExecutorState) -> usize {
        let max_rows = self.limits.max_batch_size[role];
        if self.limits.pads[role] {
            return max_rows;
        }
        let able = Role::ALL.into_iter().filter(|&role| executor.able[role]);
        let waiting: usize = able.map(|role| self.models[role].rows).sum();
        max_rows.min(waiting.div_ceil(executor.idle_others + 1)).max(1)
    }

    /// Removes the ended jobs of each model with more than `max_rows` waiting rows. A caller who leaves
    /// returns its capacity at once, but its jobs stay queued, and behind more urgent jobs they might
    /// stay forever.
    pub(super) fn sweep(&mut self, max_rows: usize, has_ended: impl Fn(&J) -> bool) {
        for role in Role::ALL {
            let queue = &mut self.models[role];
            if queue.rows > max_rows {
                queue.waiting.retain(|_, waiting| !has_ended(&waiting.job));
                queue.rows = queue.waiting.values().map(|waiting| waiting.rows.len()).sum();
            }
        }
    }

    /// The number of waiting rows, by model.
    pub(super) fn rows(&self) -> PerRole<usize> {
        PerRole::of(|role| self.models[role].rows)
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
            for ((urgency, _), waiting) in &self.models[role].waiting {
                if urgency.priority == priority && !has_ended(&waiting.job) {
                    found.rows += waiting.rows.len();
                    found.oldest = found.oldest.max(now.saturating_duration_since(waiting.since));
                }
            }
            found
        };
        PerRole::of(of)
    }

    /// Removes and returns every job that waits for `role`.
    pub(super) fn drain(&mut self, role: Role) -> Vec<J> {
        let queue = &mut self.models[role];
        queue.rows = 0;
        std::mem::take(&mut queue.waiting)
            .into_values()
            .map(|waiting| waiting.job)
            .collect()
    }
}

impl<J: Clone> ModelQueue<J> {
    fn first(&self) -> Option<Urgency> {
        self.waiting.first_key_value().map(|((urgency, _), _)| *urgency)
    }

    /// The time at which the rows stop waiting for a fuller batch; `None` if they need not wait.
    fn ready_at(&self, max_rows: usize, delay: Duration) -> Option<Instant> {
        if delay.is_zero() || self.rows >= max_rows {
            return None;
        }
        // There are fewer entries than `max_rows`. Half of the time until a deadline is kept for the run.
        let wait_until = |((urgency, _), waiting): (&(Urgency, u64), &WaitingJob<J>)| {
            let left = urgency.deadline.saturating_duration_since(waiting.since);
            waiting.since + delay.min(left / 2)
        };
        self.waiting.iter().map(wait_until).min()
    }

    /// Removes the first job if it has ended or its deadline has passed.
    fn drop_first(&mut self, now: Instant, has_ended: &impl Fn(&J) -> bool, expired: &mut Vec<J>) -> bool {
        let Some(first) = self.waiting.first_entry() else {
            return false;
        };
        let ended = has_ended(&first.get().job);
        if !ended && first.key().0.deadline > now {
            return false;
        }
        let WaitingJob { job, rows, .. } = first.remove();
        self.rows -= rows.len();
        if !ended {
            expired.push(job);
        }
        true
    }

    fn drop_ended_and_expired(&mut self, now: Instant, has_ended: &impl Fn(&J) -> bool, expired: &mut Vec<J>) {
        while self.drop_first(now, has_ended, expired) {}
    }

    fn take(
        &mut self,
        now: Instant,
        max_rows: usize,
        has_ended: &impl Fn(&J) -> bool,
        expired: &mut Vec<J>,
    ) -> Vec<JobSlice<J>> {
        let mut slices = Vec::new();
        let mut free = max_rows;
        while free > 0 {
            self.drop_ended_and_expired(now, has_ended, expired);
            let Some(mut first) = self.waiting.first_entry() else {
                break;
            };
            let (request, waiting) = (first.key().0, first.get_mut());
            let count = waiting.rows.len().min(free);
            let rows = waiting.rows.start..waiting.rows.start + count;
            free -= count;
            self.rows -= count;
            waiting.rows.start = rows.end;
            let job = if waiting.rows.is_empty() {
                first.remove().job
            } else {
                waiting.job.clone()
            };
            slices.push(JobSlice { job, request, rows });
        }
        slices
    }
}

#[cfg(test)]
mod tests;
