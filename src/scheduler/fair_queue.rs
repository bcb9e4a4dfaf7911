//! The waiting rows of one priority: fair between principals, fair between the connections of one
//! principal, and earliest deadline first on one connection.
//!
//! A principal's share does not grow with its connections: they divide it. A share that one party does
//! not use goes to those that wait.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Instant;

use super::fair_order::FairOrder;
use super::urgency::{AdmittedRequest, Urgency};
use crate::call::{Caller, Principal};
use crate::domain::{PerRole, Role};

/// Consecutive rows of one job that run together.
#[derive(Debug, PartialEq)]
pub(super) struct JobSlice<J> {
    pub(super) job: J,
    pub(super) request: AdmittedRequest,
    pub(super) rows: Range<usize>,
    /// Counts the jobs of the queue.
    pub(super) number: u64,
}

/// Rows of one job that wait.
#[derive(Debug)]
pub(super) struct WaitingJob<J> {
    pub(super) job: J,
    pub(super) request: AdmittedRequest,
    pub(super) rows: Range<usize>,
    pub(super) since: Instant,
}

/// The waiting jobs of one connection by urgency. Jobs of one request keep their order.
type ConnectionJobs<J> = PerRole<BTreeMap<(Urgency, u64), WaitingJob<J>>>;

/// The rows of one priority that wait.
#[derive(Debug)]
pub(super) struct FairQueue<J> {
    order: FairOrder<Principal>,
    principals: BTreeMap<Principal, PrincipalJobs<J>>,
    /// The number of waiting rows. It includes jobs that have ended, until they are removed.
    rows: PerRole<usize>,
}

/// The waiting jobs of one principal.
#[derive(Debug)]
struct PrincipalJobs<J> {
    weight: f64,
    order: FairOrder<u64>,
    connections: BTreeMap<u64, ConnectionJobs<J>>,
}

impl<J> Default for FairQueue<J> {
    fn default() -> Self {
        Self {
            order: FairOrder::default(),
            principals: BTreeMap::new(),
            rows: PerRole::default(),
        }
    }
}

impl<J: Clone> FairQueue<J> {
    /// The number of waiting rows, by model.
    pub(super) fn rows(&self) -> PerRole<usize> {
        self.rows
    }

    /// Whether rows of `role` wait.
    pub(super) fn has_rows(&self, role: Role) -> bool {
        self.order.first(role).is_some()
    }

    /// Whether the next row of `role` comes before that of `other`. A caller does not wait for one model
    /// for more than `lag` nanoseconds of its service by the other model.
    pub(super) fn comes_first(&self, role: Role, other: Role, lag: u64) -> bool {
        let principals = [role, other].map(|role| self.order.first(role).map(|(_, principal)| principal));
        let principal = match principals {
            [Some(principal), Some(second)] if principal == second => self.principals.get(&principal),
            _ => None,
        };
        let Some(principal) = principal else {
            let weight = |principal| self.principals.get(&principal).map_or(1.0, |jobs| jobs.weight);
            let lag = |principal| divided(lag, weight(principal));
            return precedes(role, other, |role| self.order.place_among_models(role, lag));
        };
        let connections = [role, other].map(|role| principal.order.first(role));
        match connections {
            // Earliest deadline first.
            [Some((urgency, connection)), Some((second, other))] if connection == other => urgency < second,
            _ => precedes(role, other, |role| principal.order.place_among_models(role, |_| lag)),
        }
    }

    /// Every job that waits for `role`.
    pub(super) fn jobs(&self, role: Role) -> impl Iterator<Item = &WaitingJob<J>> {
        let connections = self.principals.values().flat_map(|jobs| jobs.connections.values());
        connections.flat_map(move |jobs| jobs[role].values())
    }

    /// Adds rows of a job. `number` counts the jobs.
    pub(super) fn push(&mut self, role: Role, number: u64, job: WaitingJob<J>) {
        let AdmittedRequest {
            urgency,
            caller,
            weight,
        } = job.request;
        self.rows[role] += job.rows.len();
        let principal = self
            .principals
            .entry(caller.principal)
            .or_insert_with(|| PrincipalJobs {
                weight,
                order: FairOrder::default(),
                connections: BTreeMap::new(),
            });
        principal.weight = weight;
        let jobs = principal.connections.entry(caller.connection).or_default();
        jobs[role].insert((urgency, number), job);
        self.update_places(caller);
    }

    /// Removes the first jobs of `role` that have ended or whose deadline has passed, so that the first
    /// job is one to run. Adds those whose deadline has passed to `expired`.
    pub(super) fn drop_ended_and_expired(
        &mut self,
        role: Role,
        now: Instant,
        has_ended: &impl Fn(&J) -> bool,
        expired: &mut Vec<J>,
    ) {
        while let Some(caller) = self.first_caller(role) {
            let Some(jobs) = self.jobs_of(caller) else { return };
            let Some(first) = jobs[role].first_entry() else { return };
            let ended = has_ended(&first.get().job);
            if !ended && first.key().0.deadline > now {
                return;
            }
            let WaitingJob { job, rows, .. } = first.remove();
            self.rows[role] -= rows.len();
            self.update_places(caller);
            if !ended {
                expired.push(job);
            }
        }
    }

    /// Takes at most `max_rows` rows of the first job of `role`. A row costs `row_cost` nanoseconds of
    /// an executor.
    pub(super) fn take(&mut self, role: Role, max_rows: usize, row_cost: u64) -> Option<JobSlice<J>> {
        let caller = self.first_caller(role)?;
        let mut first = self.jobs_of(caller)?[role].first_entry()?;
        let (number, waiting) = (first.key().1, first.get_mut());
        let count = waiting.rows.len().min(max_rows);
        let rows = waiting.rows.start..waiting.rows.start + count;
        let request = waiting.request;
        waiting.rows.start = rows.end;
        let job = if waiting.rows.is_empty() {
            first.remove().job
        } else {
            waiting.job.clone()
        };
        self.rows[role] -= count;
        let cost = row_cost.saturating_mul(u64::try_from(count).unwrap_or(u64::MAX));
        if let Some(principal) = self.principals.get_mut(&caller.principal) {
            principal.order.charge(caller.connection, role, cost);
            self.order
                .charge(caller.principal, role, divided(cost, principal.weight));
        }
        self.update_places(caller);
        Some(JobSlice {
            job,
            request,
            rows,
            number,
        })
    }

    /// Removes the ended jobs of `role`.
    pub(super) fn remove_ended(&mut self, role: Role, has_ended: &impl Fn(&J) -> bool) {
        let mut callers = Vec::new();
        for (&principal, jobs) in &mut self.principals {
            for (&connection, jobs) in &mut jobs.connections {
                let before = jobs[role].len();
                jobs[role].retain(|_, waiting| !has_ended(&waiting.job));
                if jobs[role].len() != before {
                    callers.push(Caller { principal, connection });
                }
            }
        }
        self.rows[role] = self.jobs(role).map(|waiting| waiting.rows.len()).sum();
        for caller in callers {
            self.update_places(caller);
        }
    }

    /// Removes and returns every job that waits for `role`.
    pub(super) fn drain(&mut self, role: Role) -> Vec<J> {
        let mut drained = Vec::new();
        let mut callers = Vec::new();
        for (&principal, jobs) in &mut self.principals {
            for (&connection, jobs) in &mut jobs.connections {
                drained.extend(std::mem::take(&mut jobs[role]).into_values().map(|waiting| waiting.job));
                callers.push(Caller { principal, connection });
            }
        }
        self.rows[role] = 0;
        for caller in callers {
            self.update_places(caller);
        }
        drained
    }

    fn first_caller(&self, role: Role) -> Option<Caller> {
        let (_, principal) = self.order.first(role)?;
        let (_, connection) = self.principals.get(&principal)?.order.first(role)?;
        Some(Caller { principal, connection })
    }

    fn jobs_of(&mut self, caller: Caller) -> Option<&mut ConnectionJobs<J>> {
        let principal = self.principals.get_mut(&caller.principal)?;
        principal.connections.get_mut(&caller.connection)
    }

    /// Puts a connection and its principal at their places, after the first job or the tag of the
    /// connection has changed. Forgets a connection and a principal without jobs.
    fn update_places(&mut self, caller: Caller) {
        let Some(principal) = self.principals.get_mut(&caller.principal) else {
            return;
        };
        for role in Role::ALL {
            let jobs = principal.connections.get(&caller.connection);
            let first = jobs.and_then(|jobs| jobs[role].first_key_value());
            let head = first.map(|((urgency, _), _)| *urgency);
            principal.order.set_head(caller.connection, role, head);
            let head = principal.order.first(role).map(|(urgency, _)| urgency);
            self.order.set_head(caller.principal, role, head);
        }
        let is_empty = |jobs: &ConnectionJobs<J>| Role::ALL.into_iter().all(|role| jobs[role].is_empty());
        if principal.connections.get(&caller.connection).is_some_and(is_empty) {
            principal.connections.remove(&caller.connection);
        }
        if principal.connections.is_empty() {
            self.principals.remove(&caller.principal);
        }
    }
}

/// Whether `role` has a place before that of `other`.
fn precedes<P: Ord>(role: Role, other: Role, place: impl Fn(Role) -> Option<P>) -> bool {
    match (place(role), place(other)) {
        (Some(place), Some(other)) => place < other,
        (place, _) => place.is_some(),
    }
}

/// `cost` divided by a positive weight, rounded down.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cost of a batch is far below 2^53 ns, and the cast saturates"
)]
fn divided(cost: u64, weight: f64) -> u64 {
    (cost as f64 / weight) as u64
}
