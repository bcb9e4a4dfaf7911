//! The remaining work of the admitted requests of one priority, and the time that a request waits
//! under fair queueing. A state machine without clock or threads.
//!
//! # The fluid bound
//!
//! Let a request of connection `f` of principal `p` finish after `W` seconds of its connection's work,
//! on all executors. Until then, fair queueing serves every other connection of `p` at most `W`
//! seconds, so `p` is served at most `W_p = sum over its connections i of min(B_i, W)`, where `B_i` is
//! the backlog of `i`. Every principal `q` of weight `w_q` is served at most `min(B_q, W_p w_q / w_p)`.
//! The sum over all principals bounds the wait. If only the number of parties counts, and no backlog,
//! the same sum is the wait that the caller's share guarantees.

use std::collections::BTreeMap;
use std::time::Instant;

use super::row_time::{RowTimes, Rows};
use super::urgency::Urgency;
use crate::call::{Caller, Principal};
use crate::domain::{PerRole, Role};

/// The remaining rows of an admitted request.
#[derive(Debug, Clone, Copy)]
pub(super) struct RemainingRows {
    pub(super) expected: Rows,
    pub(super) needed: Rows,
}

/// The admitted requests of one connection.
#[derive(Debug)]
pub(super) struct ConnectionBacklog {
    pub(super) requests: BTreeMap<Urgency, RemainingRows>,
    /// The sum of the expected rows.
    pub(super) expected: Rows,
    /// The deadline of the first request.
    pub(super) earliest: Option<Instant>,
    /// The weight of the principal.
    pub(super) weight: f64,
}

/// The admitted requests of one priority.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// In the order of the principals, so that the connections of one principal are neighbours.
    pub(super) connections: BTreeMap<Caller, ConnectionBacklog>,
    pub(super) expected: Rows,
}

/// A request that asks for admission.
pub(super) struct NewRequest<'a> {
    pub(super) urgency: Urgency,
    pub(super) caller: Caller,
    pub(super) weight: f64,
    pub(super) rows: RemainingRows,
    pub(super) row_times: &'a RowTimes,
}

/// The bounds on the wait of a new request, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Wait {
    /// With the backlogs that there are.
    pub(super) present: f64,
    /// If every connection with a backlog always has more.
    pub(super) guaranteed: f64,
}

impl Backlog {
    /// The expected rows of the requests of `principal`.
    pub(super) fn expected_of(&self, principal: Principal) -> Rows {
        let of_principal = self.of_principal(principal);
        of_principal.fold(Rows::default(), |sum, (_, connection)| plus(&sum, &connection.expected))
    }

    /// Adds an admitted request.
    pub(super) fn insert(&mut self, caller: Caller, weight: f64, urgency: Urgency, rows: RemainingRows) {
        let connection = self.connections.entry(caller).or_insert_with(|| ConnectionBacklog {
            requests: BTreeMap::new(),
            expected: Rows::default(),
            earliest: None,
            weight,
        });
        connection.weight = weight;
        connection.expected = plus(&connection.expected, &rows.expected);
        connection.requests.insert(urgency, rows);
        connection.find_earliest();
        self.expected = plus(&self.expected, &rows.expected);
    }

    /// Records that `rows` rows of a request have finished.
    pub(super) fn done(&mut self, caller: Caller, urgency: &Urgency, role: Role, rows: u64) {
        let Some(connection) = self.connections.get_mut(&caller) else {
            return;
        };
        let Some(left) = connection.requests.get_mut(urgency) else {
            return;
        };
        left.needed[role] = left.needed[role].saturating_sub(rows);
        let fewer = left.expected[role].min(rows);
        left.expected[role] -= fewer;
        for sum in [&mut connection.expected, &mut self.expected] {
            sum[role] = sum[role].saturating_sub(fewer);
        }
    }

    /// Removes a request that has ended. Returns whether there was one.
    pub(super) fn remove(&mut self, caller: Caller, urgency: &Urgency) -> bool {
        let Some(connection) = self.connections.get_mut(&caller) else {
            return false;
        };
        let Some(left) = connection.requests.remove(urgency) else {
            return false;
        };
        for sum in [&mut connection.expected, &mut self.expected] {
            *sum = minus(sum, &left.expected);
        }
        connection.find_earliest();
        if connection.requests.is_empty() {
            self.connections.remove(&caller);
        }
        true
    }

    /// The expected rows of the connection of `request` that are more urgent than it. The call visits
    /// the less urgent requests of the connection.
    pub(super) fn ahead(&self, request: &NewRequest<'_>) -> Rows {
        let Some(connection) = self.connections.get(&request.caller) else {
            return Rows::default();
        };
        let later = connection.requests.range(request.urgency..);
        let behind = later.fold(Rows::default(), |sum, (_, left)| plus(&sum, &left.expected));
        minus(&connection.expected, &behind)
    }

    /// The wait until `own` seconds of work of the connection of `request` are done. The call visits
    /// every connection once.
    pub(super) fn wait(&self, request: &NewRequest<'_>, own: f64) -> Wait {
        let caller = request.caller;
        let (mut of_principal, mut connections) = (own, 1.0);
        for (other, connection) in self.of_principal(caller.principal) {
            if *other != caller {
                let load = request.row_times.seconds_on_all_executors(&connection.expected);
                of_principal += load.min(own);
                connections += f64::from(u8::from(load > 0.0));
            }
        }
        let (mut present, mut guaranteed) = (of_principal, own * connections);
        let (service, share) = (of_principal / request.weight, own * connections / request.weight);
        for (principal, load, weight) in self.principal_loads(request.row_times) {
            if principal != caller.principal && load > 0.0 {
                present += load.min(service * weight);
                guaranteed += share * weight;
            }
        }
        Wait { present, guaranteed }
    }

    pub(super) fn of_principal(&self, principal: Principal) -> impl Iterator<Item = (&Caller, &ConnectionBacklog)> {
        let of = |connection| Caller { principal, connection };
        self.connections.range(of(u64::MIN)..=of(u64::MAX))
    }

    /// Each principal with its backlog in seconds on all executors and its weight.
    pub(super) fn principal_loads(&self, row_times: &RowTimes) -> impl Iterator<Item = (Principal, f64, f64)> {
        let mut connections = self.connections.iter().peekable();
        std::iter::from_fn(move || {
            let (caller, first) = connections.next()?;
            let mut expected = first.expected;
            while let Some((_, next)) = connections.next_if(|(other, _)| other.principal == caller.principal) {
                expected = plus(&expected, &next.expected);
            }
            let load = row_times.seconds_on_all_executors(&expected);
            Some((caller.principal, load, first.weight))
        })
    }
}

impl ConnectionBacklog {
    fn find_earliest(&mut self) {
        self.earliest = self.requests.first_key_value().map(|(urgency, _)| urgency.deadline);
    }
}

pub(super) fn plus(left: &Rows, right: &Rows) -> Rows {
    PerRole::of(|role| left[role].saturating_add(right[role]))
}

pub(super) fn minus(left: &Rows, right: &Rows) -> Rows {
    PerRole::of(|role| left[role].saturating_sub(right[role]))
}
