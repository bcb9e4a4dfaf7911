//! Admission control: bounded rows, and only requests that can meet their deadline. A state machine
//! without clock or threads.
//!
//! Every request declares how many rows it keeps outstanding at a time, how many it will probably need
//! in all, and how many it needs for any answer. Admission bounds the first number. From the others and
//! the measured time per row it computes when the rows ahead will be finished. It refuses a request that
//! would miss its deadline, or would make an admitted request miss its deadline, before the request
//! costs anything.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::row_time::{RowTimes, Rows};
use super::urgency::Urgency;
use crate::call::RefusalReason;
use crate::domain::{PerRole, Priority, Role};

/// The estimate is not exact. A request is admitted only if 1.1 times the estimate still fits.
const SAFETY_FACTOR: f64 = 1.1;

/// The rows that a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demand {
    /// The largest number of rows outstanding at a time.
    pub outstanding: PerRole<usize>,
    /// The expected number of rows in all.
    pub expected: PerRole<u64>,
    /// The least number of rows for an answer.
    pub needed: PerRole<u64>,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The request does not fit in the free capacity.
    #[error(
        "the queue is full: {admitted} of {capacity} rows of the {} model are taken, and the request needs {wanted}", role.name()
    )]
    Full {
        /// The model.
        role: Role,
        /// The admitted rows.
        admitted: usize,
        /// The capacity for the priority of the request.
        capacity: usize,
        /// The rows that the request needs.
        wanted: usize,
        /// The time that the admitted rows will take.
        retry_after: Duration,
    },
    /// The request would miss its deadline behind the rows ahead.
    #[error(
        "the deadline cannot be met: it is {left:.1?} away, and these rows with those ahead take about {wait:.1?}, plus a \
         safety margin of a tenth"
    )]
    TooLate {
        /// The time until the deadline.
        left: Duration,
        /// The estimated time until an answer.
        wait: Duration,
        /// The longer of half that time and the time until the request would fit.
        retry_after: Duration,
    },
    /// The request would miss its deadline even on an idle machine, so a retry does not help.
    #[error("the deadline cannot be met: it is {left:.1?} away, and the rows take about {alone:.1?} by themselves")]
    TooShort {
        /// The time until the deadline.
        left: Duration,
        /// The time that its rows take on an idle machine.
        alone: Duration,
    },
    /// The request would make an admitted request miss its deadline.
    #[error("the deadlines of requests that were admitted before leave no time for this one")]
    Crowded {
        /// The time until the request that would be late has finished or its deadline has passed.
        retry_after: Duration,
    },
}

impl Refusal {
    /// The reason for metrics and logs.
    #[must_use]
    pub fn reason(&self) -> RefusalReason {
        match self {
            Self::Full { .. } => RefusalReason::QueueFull,
            Self::TooLate { .. } => RefusalReason::TooLate,
            Self::TooShort { .. } => RefusalReason::TooShort,
            Self::Crowded { .. } => RefusalReason::Crowded,
        }
    }

    /// The delay before a retry.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        match self {
            Self::TooShort { .. } => Duration::ZERO,
            Self::Full { retry_after, .. } | Self::TooLate { retry_after, .. } | Self::Crowded { retry_after } => {
                *retry_after
            }
        }
    }
}

/// The capacity for bulk requests. The rest is reserved for interactive requests, so that many
/// certifications cannot cause the refusal of every Predict.
#[must_use]
pub fn bulk_capacity(capacity: usize) -> usize {
    capacity - capacity / 4
}

/// The remaining rows of an admitted request.
#[derive(Debug, Clone, Copy)]
struct RemainingRows {
    expected: Rows,
    needed: Rows,
}

/// The admitted requests that have not ended.
#[derive(Debug)]
pub(super) struct Admissions {
    live: BTreeMap<Urgency, RemainingRows>,
    outstanding: PerRole<usize>,
    /// The sums of the remaining expected rows of interactive and of bulk requests.
    expected: [Rows; 2],
    capacity: usize,
    arrivals: u64,
}

impl Admissions {
    /// Admissions with this bound on the outstanding rows of each model.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            live: BTreeMap::new(),
            outstanding: PerRole::default(),
            expected: [Rows::default(); 2],
            capacity,
            arrivals: 0,
        }
    }

    /// The bound on the outstanding rows of each model.
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// The outstanding rows of the admitted requests.
    pub(super) fn outstanding(&self) -> PerRole<usize> {
        self.outstanding
    }

    /// Admits a request, or returns why not.
    pub(super) fn admit(
        &mut self,
        priority: Priority,
        deadline: Instant,
        demand: &Demand,
        now: Instant,
        row_times: &RowTimes,
    ) -> Result<Urgency, Refusal> {
        self.check_capacity(priority, demand, row_times)?;
        let demand = &demand_until_deadline(deadline.saturating_duration_since(now), demand, row_times);
        let request = Urgency {
            priority,
            deadline,
            arrival: self.arrivals + 1,
        };
        self.check_deadlines(&request, demand, now, row_times)?;
        self.arrivals += 1;
        for role in Role::ALL {
            self.outstanding[role] += demand.outstanding[role];
            self.expected[priority.index()][role] += demand.expected[role];
        }
        let left = RemainingRows {
            expected: demand.expected,
            needed: demand.needed,
        };
        self.live.insert(request, left);
        Ok(request)
    }

    fn check_capacity(&self, priority: Priority, demand: &Demand, row_times: &RowTimes) -> Result<(), Refusal> {
        let capacity = match priority {
            Priority::Interactive => self.capacity,
            Priority::Bulk => bulk_capacity(self.capacity),
        };
        for role in Role::ALL {
            let (admitted, wanted) = (self.outstanding[role], demand.outstanding[role]);
            if wanted > capacity.saturating_sub(admitted) {
                return Err(Refusal::Full {
                    role,
                    admitted,
                    capacity,
                    wanted,
                    retry_after: row_times.on_all_executors(&self.expected[0]),
                });
            }
        }
        Ok(())
    }

    fn check_deadlines(
        &self,
        request: &Urgency,
        demand: &Demand,
        now: Instant,
        row_times: &RowTimes,
    ) -> Result<(), Refusal> {
        let later = || {
            self.live
                .range(*request..)
                .take_while(|(other, _)| other.priority == request.priority)
        };
        let behind = later().fold(Rows::default(), |sum, (_, left)| plus(&sum, &left.expected));
        let mut ahead = minus(&self.expected[request.priority.index()], &behind);
        if request.priority == Priority::Bulk {
            ahead = plus(&ahead, &self.expected[Priority::Interactive.index()]);
        }
        let fits = |rows: &Rows, deadline: Instant| {
            let left = deadline.saturating_duration_since(now);
            row_times.on_all_executors(rows).as_secs_f64() * SAFETY_FACTOR <= left.as_secs_f64()
        };
        // Without other requests of its priority or a higher one, the request is tried even against the
        // estimate: only runs can correct a wrong estimate.
        let first = self.live.first_key_value();
        let idle = first.is_none_or(|(first, _)| first.priority > request.priority);
        if !idle && !fits(&plus(&ahead, &demand.needed), request.deadline) {
            let left = request.deadline.saturating_duration_since(now);
            if !fits(&demand.needed, request.deadline) {
                let alone = row_times.on_all_executors(&demand.needed);
                return Err(Refusal::TooShort { left, alone });
            }
            let wait = row_times.on_all_executors(&plus(&ahead, &demand.needed));
            // Not the earliest time that might fit: many callers who retry then would be refused again.
            let retry_after = wait.saturating_sub(left).max(wait / 2);
            return Err(Refusal::TooLate {
                left,
                wait,
                retry_after,
            });
        }
        let mut before = ahead;
        for (other, left) in later() {
            let alone = plus(&before, &left.needed);
            if fits(&alone, other.deadline) && !fits(&plus(&alone, &demand.expected), other.deadline) {
                // The time until the request in the way has finished or expired.
                let finished = row_times.on_all_executors(&plus(&before, &left.expected));
                let expired = other.deadline.saturating_duration_since(now);
                return Err(Refusal::Crowded {
                    retry_after: finished.min(expired),
                });
            }
            before = plus(&before, &left.expected);
        }
        Ok(())
    }

    /// Records that `rows` rows of `request` have finished.
    pub(super) fn done(&mut self, request: &Urgency, role: Role, rows: usize) {
        let Some(left) = self.live.get_mut(request) else {
            return;
        };
        let rows = u64::try_from(rows).unwrap_or(u64::MAX);
        left.needed[role] = left.needed[role].saturating_sub(rows);
        let fewer = left.expected[role].min(rows);
        left.expected[role] -= fewer;
        let sum = &mut self.expected[request.priority.index()][role];
        *sum = sum.saturating_sub(fewer);
    }

    /// Records that `request` has ended, and returns its capacity.
    pub(super) fn release(&mut self, request: &Urgency, outstanding: &PerRole<usize>) {
        let Some(left) = self.live.remove(request) else {
            return;
        };
        let sum = &mut self.expected[request.priority.index()];
        *sum = minus(sum, &left.expected);
        for role in Role::ALL {
            self.outstanding[role] = self.outstanding[role].saturating_sub(outstanding[role]);
        }
    }
}

/// The demand of a request whose deadline is `left` away. It needs no more rows than can run until
/// then, but at least those that it needs for an answer.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate; rows stay far below 2^53"
)]
fn demand_until_deadline(left: Duration, demand: &Demand, row_times: &RowTimes) -> Demand {
    let whole = row_times.on_all_executors(&demand.expected);
    if whole <= left {
        return *demand;
    }
    let share = left.as_secs_f64() / whole.as_secs_f64();
    let fewer = |role: Role| ((demand.expected[role] as f64 * share) as u64).max(demand.needed[role]);
    Demand {
        expected: PerRole::of(fewer),
        ..*demand
    }
}

fn plus(left: &Rows, right: &Rows) -> Rows {
    PerRole::of(|role| left[role].saturating_add(right[role]))
}

fn minus(left: &Rows, right: &Rows) -> Rows {
    PerRole::of(|role| left[role].saturating_sub(right[role]))
}

#[cfg(test)]
mod tests;
