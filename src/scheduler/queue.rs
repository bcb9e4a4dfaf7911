//! Which rows run next: a state machine without clock, threads or models.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::load::WaitingRows;
use super::urgency::Urgency;
use crate::domain::{PerRole, Priority, Role};

/// What bounds a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Rows in one run, at most.
    pub(super) max_batch_size: PerRole<usize>,
    /// Whether a run of fewer rows costs as much.
    pub(super) pads: PerRole<bool>,
    /// How long rows may wait for a fuller batch; zero: not at all.
    pub(super) max_queue_delay: Duration,
}

/// Who takes a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taker {
    /// The models that it can run.
    pub(super) able: PerRole<bool>,
    /// The model that it would rather go on with, whose weights are in its processor's cache: where rows of both wait, of the
    /// same priority, it may.
    pub(super) prefers: Option<Role>,
    /// Other executors that have nothing to do: it leaves them their share of what waits.
    pub(super) idle_others: usize,
}

impl Taker {
    fn would_rather(self, one: (Urgency, Role), other: (Urgency, Role)) -> bool {
        let preferred = |(_, role)| self.prefers == Some(role);
        if one.0.priority == other.0.priority && preferred(one) != preferred(other) {
            return preferred(one);
        }
        one.0 < other.0
    }
}

/// Rows of one job that run together.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Slice<J> {
    pub(super) job: J,
    pub(super) request: Urgency,
    pub(super) rows: Range<usize>,
}

/// Rows of one model, to run now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch<J> {
    pub(super) role: Role,
    /// Most urgent first; together at most as many rows as the model takes, at least one.
    pub(super) slices: Vec<Slice<J>>,
}

impl<J> Batch<J> {
    /// Rows in it.
    pub(super) fn rows(&self) -> usize {
        self.slices.iter().map(|slice| slice.rows.len()).sum()
    }
}

/// What [`Queue::take`] found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken<J> {
    pub(super) batch: Option<Batch<J>>,
    /// Too late: to be answered without a run.
    pub(super) expired: Vec<J>,
    /// When rows that wait for a fuller batch have waited long enough; only if there is no batch.
    pub(super) next: Option<Instant>,
}

#[derive(Debug)]
struct Waiting<J> {
    job: J,
    rows: Range<usize>,
    since: Instant,
}

/// The rows that wait for one model.
#[derive(Debug)]
struct Lane<J> {
    /// By urgency; the jobs of one request in their order.
    waiting: BTreeMap<(Urgency, u64), Waiting<J>>,
    /// Of jobs whose caller left too, until they are swept.
    rows: usize,
}

/// The rows that wait for either model.
#[derive(Debug)]
pub(super) struct Queue<J> {
    lanes: PerRole<Lane<J>>,
    limits: Limits,
    jobs: u64,
}

impl<J: Clone> Queue<J> {
    pub(super) fn new(limits: Limits) -> Self {
        let lane = |_| Lane {
            waiting: BTreeMap::new(),
            rows: 0,
        };
        Self {
            lanes: PerRole::of(lane),
            limits,
            jobs: 0,
        }
    }

    /// Lets rows of `job`, a job of `request`, wait for each model.
    pub(super) fn push(&mut self, job: &J, request: Urgency, rows: PerRole<usize>, now: Instant) {
        self.jobs += 1;
        for role in Role::ALL.into_iter().filter(|&role| rows[role] > 0) {
            let (lane, rows) = (&mut self.lanes[role], 0..rows[role]);
            lane.rows += rows.len();
            let waiting = Waiting {
                job: job.clone(),
                rows,
                since: now,
            };
            lane.waiting.insert((request, self.jobs), waiting);
        }
    }

    /// Takes the most urgent rows of the model whose first row is the most urgent, as many as it takes in one run. Drops jobs
    /// that are `dead` and sets aside those whose time is up.
    pub(super) fn take(&mut self, now: Instant, taker: Taker, dead: impl Fn(&J) -> bool) -> Taken<J> {
        let mut taken = Taken {
            batch: None,
            expired: Vec::new(),
            next: None,
        };
        let mut best: Option<(Urgency, Role)> = None;
        for role in Role::ALL.into_iter().filter(|&role| taker.able[role]) {
            let lane = &mut self.lanes[role];
            lane.drop_useless(now, &dead, &mut taken.expired);
            let Some(first) = lane.first() else { continue };
            let ready = lane.ready_at(self.limits.max_batch_size[role], self.limits.max_queue_delay);
            if ready.is_some_and(|ready| ready > now) {
                taken.next = [taken.next, ready].into_iter().flatten().min();
            } else if best.is_none_or(|best| taker.would_rather((first, role), best)) {
                best = Some((first, role));
            }
        }
        if let Some((_, role)) = best {
            let most = self.share(role, taker);
            let slices = self.lanes[role].take(now, most, &dead, &mut taken.expired);
            taken.batch = Some(Batch { role, slices });
            taken.next = None;
        }
        taken
    }

    /// Rows of `role` that `taker` may take.
    fn share(&self, role: Role, taker: Taker) -> usize {
        let most = self.limits.max_batch_size[role];
        if self.limits.pads[role] {
            return most;
        }
        let able = Role::ALL.into_iter().filter(|&role| taker.able[role]);
        let waiting: usize = able.map(|role| self.lanes[role].rows).sum();
        most.min(waiting.div_ceil(taker.idle_others + 1)).max(1)
    }

    /// Forgets the dead jobs of a lane where more than `most` rows wait: a caller who leaves gives its room back at once, but
    /// its jobs stay where they are, and behind more urgent ones they might stay for ever.
    pub(super) fn sweep(&mut self, most: usize, dead: impl Fn(&J) -> bool) {
        for role in Role::ALL {
            let lane = &mut self.lanes[role];
            if lane.rows > most {
                lane.waiting.retain(|_, waiting| !dead(&waiting.job));
                lane.rows = lane.waiting.values().map(|waiting| waiting.rows.len()).sum();
            }
        }
    }

    /// Rows that wait.
    pub(super) fn rows(&self) -> PerRole<usize> {
        PerRole::of(|role| self.lanes[role].rows)
    }

    /// Rows of `priority` that wait, without those whose caller left, and how long the first have waited. Looks at every job: for those
    /// who ask now and then.
    pub(super) fn waiting(&self, priority: Priority, now: Instant, dead: impl Fn(&J) -> bool) -> PerRole<WaitingRows> {
        let of = |role: Role| {
            let mut found = WaitingRows::default();
            for ((urgency, _), waiting) in &self.lanes[role].waiting {
                if urgency.priority == priority && !dead(&waiting.job) {
                    found.rows += waiting.rows.len();
                    found.oldest = found.oldest.max(now.saturating_duration_since(waiting.since));
                }
            }
            found
        };
        PerRole::of(of)
    }

    /// Every job that waits for `role`, taken out.
    pub(super) fn drain(&mut self, role: Role) -> Vec<J> {
        let lane = &mut self.lanes[role];
        lane.rows = 0;
        std::mem::take(&mut lane.waiting)
            .into_values()
            .map(|waiting| waiting.job)
            .collect()
    }
}

impl<J: Clone> Lane<J> {
    fn first(&self) -> Option<Urgency> {
        self.waiting.first_key_value().map(|((urgency, _), _)| *urgency)
    }

    /// When its rows have waited long enough for a fuller batch; `None` if they need not wait at all.
    fn ready_at(&self, most: usize, delay: Duration) -> Option<Instant> {
        if delay.is_zero() || self.rows >= most {
            return None;
        }
        // Fewer entries than `most`. A deadline is not waited for: half of what is left of it is kept to run in.
        let patience = |((urgency, _), waiting): (&(Urgency, u64), &Waiting<J>)| {
            let left = urgency.deadline.saturating_duration_since(waiting.since);
            waiting.since + delay.min(left / 2)
        };
        self.waiting.iter().map(patience).min()
    }

    /// Takes the first job out if nobody waits for it or its time is up.
    fn drop_first(&mut self, now: Instant, dead: &impl Fn(&J) -> bool, expired: &mut Vec<J>) -> bool {
        let Some(first) = self.waiting.first_entry() else {
            return false;
        };
        let is_dead = dead(&first.get().job);
        if !is_dead && first.key().0.deadline > now {
            return false;
        }
        let Waiting { job, rows, .. } = first.remove();
        self.rows -= rows.len();
        if !is_dead {
            expired.push(job);
        }
        true
    }

    fn drop_useless(&mut self, now: Instant, dead: &impl Fn(&J) -> bool, expired: &mut Vec<J>) {
        while self.drop_first(now, dead, expired) {}
    }

    fn take(&mut self, now: Instant, most: usize, dead: &impl Fn(&J) -> bool, expired: &mut Vec<J>) -> Vec<Slice<J>> {
        let mut slices = Vec::new();
        let mut room = most;
        while room > 0 {
            self.drop_useless(now, dead, expired);
            let Some(mut first) = self.waiting.first_entry() else {
                break;
            };
            let (request, waiting) = (first.key().0, first.get_mut());
            let count = waiting.rows.len().min(room);
            let rows = waiting.rows.start..waiting.rows.start + count;
            room -= count;
            self.rows -= count;
            waiting.rows.start = rows.end;
            let job = if waiting.rows.is_empty() {
                first.remove().job
            } else {
                waiting.job.clone()
            };
            slices.push(Slice { job, request, rows });
        }
        slices
    }
}

#[cfg(test)]
mod tests;
