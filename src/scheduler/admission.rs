//! Admission control: bounded rows, and only requests that can meet their deadline. A state machine
//! without clock or threads.
//!
//! Every request declares how many rows it keeps outstanding at a time, how many it will probably need
//! in all, and how many it needs for any answer. [`CapacityShares`] bounds the first number. From the
//! others and the measured time per row, admission computes when the rows ahead will be finished
//! ([`Backlog::wait`]), and refuses before the request costs anything:
//!
//! - a request that cannot meet its deadline even alone, always;
//! - a request that would miss its deadline behind the rows of its own connection with earlier
//!   deadlines, the backlogs of others up to their shares, and the rows of the other priority;
//! - a request that would make another one of its connection miss its deadline;
//! - a request that would make any admitted request miss its deadline, unless its caller's share alone
//!   meets its own deadline.
//!
//! # The promise
//!
//! A caller has a share: `w_p / sum w_q` over the principals that have work of its priority, divided
//! by the number of its principal's connections that have work. A request whose work, together with the
//! earlier work of its connection, fits in this share of the time until its deadline is not refused for
//! lack of time, and is not made late, whatever others send. Work beyond the share is admitted as long
//! as others leave time, and may then be late if they claim their shares later; callers beyond their own
//! shares cannot make it late. The waits are those of an ideal fluid system. The executors add at most
//! one batch of each model. Bulk requests have the tenth part of the time for all of them together, and
//! interactive requests the rest, while both wait.
//!
//! # Pauses
//!
//! The sums are executor time. [`RowTimes::wait`] turns them into the time that passes, with the pauses
//! that a CPU limit or other programs cause.
//!
//! # Cost
//!
//! An admission visits each connection with work once, and the requests of its own connection with later
//! deadlines. A caller beyond its share pays a sort of the connections, and a few binary searches for at
//! most 512 requests. A connection without work is forgotten.

use std::time::{Duration, Instant};

use super::backlog::{Backlog, NewRequest, RemainingRows, plus};
use super::caller_share::CallerShare;
use super::capacity::{CapacityError, CapacityShares};
use super::lateness::{LateRequest, Protected, find_late};
use super::queue::BULK_SHARE;
use super::refusal::Refusal;
use super::row_time::{RowTimes, seconds};
use super::urgency::{AdmittedRequest, Urgency};
use crate::domain::{PerRole, Priority, Role};

/// The estimate is not exact. A request is admitted only if 1.1 times the estimate still fits.
const SAFETY_FACTOR: f64 = 1.1;

/// Work beyond a caller's share is admitted only if it still fits after the others have grown by this
/// part of the way to their shares. Without it, most work beyond the share would be late under load.
const GROWTH_OF_OTHERS: f64 = 0.75;

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

/// The admitted requests that have not ended.
#[derive(Debug)]
pub(super) struct Admissions {
    capacity: CapacityShares,
    /// The interactive and the bulk requests.
    backlogs: [Backlog; 2],
    arrivals: u64,
}

impl Admissions {
    /// Admissions with this bound on the outstanding rows of each model.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity: CapacityShares::new(capacity),
            backlogs: Default::default(),
            arrivals: 0,
        }
    }

    /// The bound on the outstanding rows of each model.
    pub(super) fn capacity(&self) -> usize {
        self.capacity.capacity()
    }

    /// The outstanding rows of the admitted requests.
    pub(super) fn outstanding(&self) -> PerRole<usize> {
        self.capacity.outstanding()
    }

    /// Admits a request, or returns why not.
    pub(super) fn admit(
        &mut self,
        share: &CallerShare,
        priority: Priority,
        deadline: Instant,
        demand: &Demand,
        now: Instant,
        row_times: &RowTimes,
    ) -> Result<AdmittedRequest, Refusal> {
        let left = deadline.saturating_duration_since(now);
        let alone = row_times.on_all_executors(&demand.needed);
        if !fits(alone.as_secs_f64(), left) {
            return Err(Refusal::TooShort { left, alone });
        }
        self.check_capacity(share, priority, demand, row_times)?;
        let demand = &demand_until_deadline(left, demand, row_times);
        let rows = RemainingRows {
            expected: demand.expected,
            needed: demand.needed,
        };
        let request = NewRequest {
            urgency: Urgency {
                priority,
                deadline,
                arrival: self.arrivals + 1,
            },
            caller: share.caller,
            weight: share.weight,
            rows,
            row_times,
        };
        self.check_deadlines(&request, now)?;
        self.arrivals += 1;
        self.capacity.take(priority, share, &demand.outstanding);
        let NewRequest {
            urgency,
            caller,
            weight,
            ..
        } = request;
        self.backlogs[priority.index()].insert(caller, weight, urgency, rows);
        Ok(AdmittedRequest {
            urgency,
            caller,
            weight,
        })
    }

    /// The executor time that a request with this demand asks for: its expected rows, as far as they can
    /// run until its deadline, which is `left` away. So a large vote budget asks for no more than all
    /// executors until the deadline.
    pub(super) fn demanded(left: Duration, demand: &Demand, row_times: &RowTimes) -> Duration {
        row_times.on_one_executor(&demand_until_deadline(left, demand, row_times).expected)
    }

    fn check_capacity(
        &self,
        share: &CallerShare,
        priority: Priority,
        demand: &Demand,
        row_times: &RowTimes,
    ) -> Result<(), Refusal> {
        let checked = self.capacity.check(priority, share, &demand.outstanding);
        checked.map_err(|error| match error {
            CapacityError::Full {
                role,
                admitted,
                capacity,
            } => Refusal::Full {
                role,
                admitted,
                capacity,
                wanted: demand.outstanding[role],
                retry_after: row_times.on_all_executors(&self.backlog(Priority::Interactive).expected),
            },
            CapacityError::ShareExhausted { role, held, capacity } => Refusal::ShareExhausted {
                role,
                held,
                capacity,
                wanted: demand.outstanding[role],
                retry_after: row_times
                    .on_all_executors(&self.backlog(Priority::Interactive).expected_of(share.caller.principal)),
            },
        })
    }

    fn check_deadlines(&self, request: &NewRequest<'_>, now: Instant) -> Result<(), Refusal> {
        let NewRequest { urgency, row_times, .. } = request;
        let backlog = self.backlog(urgency.priority);
        // The rows of the other priority run in between, up to their share.
        let others = 1.0 / as_float(BULK_SHARE);
        let (other, per_second) = match urgency.priority {
            Priority::Interactive => (self.backlog(Priority::Bulk), others / (1.0 - others)),
            Priority::Bulk => (self.backlog(Priority::Interactive), (1.0 - others) / others),
        };
        let other = row_times.seconds_on_all_executors(&other.expected);
        let wait_of = |wait: f64| row_times.wait(wait + other.min(wait * per_second));
        let fits = |wait: f64, deadline: Instant| fits(wait_of(wait), deadline.saturating_duration_since(now));

        let ahead = backlog.ahead(request);
        let own = row_times.seconds_on_all_executors(&plus(&ahead, &request.rows.needed));
        let wait = backlog.wait(request, own);
        let is_within_share = fits(wait.guaranteed, urgency.deadline);
        let wait = if is_within_share {
            wait.present
        } else {
            wait.present + (wait.guaranteed - wait.present).max(0.0) * GROWTH_OF_OTHERS
        };
        if !fits(wait, urgency.deadline) {
            let left = urgency.deadline.saturating_duration_since(now);
            let wait = seconds(wait_of(wait));
            // Not the earliest time that might fit: many callers who retry then would be refused again.
            let retry_after = wait.saturating_sub(left).max(wait / 2);
            return Err(Refusal::TooLate {
                left,
                wait,
                retry_after,
            });
        }
        let protected = if is_within_share {
            Protected::OwnConnection
        } else {
            Protected::All
        };
        match find_late(backlog, request, &ahead, protected, &fits) {
            None => Ok(()),
            // The time until the request in the way has finished or expired.
            Some(LateRequest { finish, deadline }) => Err(Refusal::Crowded {
                retry_after: seconds(wait_of(finish)).min(deadline.saturating_duration_since(now)),
            }),
        }
    }

    fn backlog(&self, priority: Priority) -> &Backlog {
        &self.backlogs[priority.index()]
    }

    /// Records that `rows` rows of `request` have finished.
    pub(super) fn done(&mut self, request: &AdmittedRequest, role: Role, rows: usize) {
        let rows = u64::try_from(rows).unwrap_or(u64::MAX);
        let AdmittedRequest { urgency, caller, .. } = request;
        self.backlogs[urgency.priority.index()].done(*caller, urgency, role, rows);
    }

    /// Records that `request` has ended, and returns its capacity.
    pub(super) fn release(&mut self, request: &AdmittedRequest, outstanding: &PerRole<usize>) {
        let AdmittedRequest { urgency, caller, .. } = request;
        if self.backlogs[urgency.priority.index()].remove(*caller, urgency) {
            self.capacity.release(urgency.priority, *caller, outstanding);
        }
    }
}

/// Whether an estimated wait in seconds fits in the time that is left.
fn fits(wait: f64, left: Duration) -> bool {
    wait * SAFETY_FACTOR <= left.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "a small number")]
fn as_float(count: u64) -> f64 {
    count as f64
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

#[cfg(test)]
mod tests;
