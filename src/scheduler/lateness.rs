//! Whether a new request would make an admitted request miss its deadline.
//!
//! The cost is a sort of the connections, and a few binary searches for each request that is examined.
//! Most admissions examine none: all work together finishes before the earliest deadline.

use std::time::Instant;

use super::backlog::{Backlog, ConnectionBacklog, NewRequest, plus};
use super::capped_sum::CappedSum;
use super::row_time::Rows;
use crate::call::{Caller, Principal};

/// The most admitted requests that one admission examines one by one.
const MAX_EXAMINED: usize = 512;

/// An admitted request that would be late.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LateRequest {
    /// The time until all its rows have run, in seconds.
    pub(super) finish: f64,
    pub(super) deadline: Instant,
}

/// The requests that a new request must not make late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protected {
    /// The requests of its own connection. A caller within its share owes others nothing.
    OwnConnection,
    /// All requests.
    All,
}

/// A request that would be late because of `request`, and is not without it. `ahead` are the rows of
/// the connection of `request` that are more urgent than it. `fits` is whether a wait in seconds fits a
/// deadline.
///
/// The call examines at most [`MAX_EXAMINED`] requests. It counts further ones as late unless all work
/// of their connection finishes before the earliest of their deadlines.
pub(super) fn find_late(
    backlog: &Backlog,
    request: &NewRequest<'_>,
    ahead: &Rows,
    protected: Protected,
    fits: &impl Fn(f64, Instant) -> bool,
) -> Option<LateRequest> {
    let all = request
        .row_times
        .seconds_on_all_executors(&plus(&backlog.expected, &request.rows.expected));
    let own = backlog.connections.get(&request.caller);
    let later = own.and_then(|own| own.requests.range(request.urgency..).next());
    let own_fits = later.is_none_or(|(urgency, _)| fits(all, urgency.deadline));
    let others_fit = protected == Protected::OwnConnection
        || others(backlog, request).all(|(_, other)| other.earliest.is_none_or(|deadline| fits(all, deadline)));
    if own_fits && others_fit {
        return None;
    }
    let mut check = LatenessCheck::new(backlog, request, fits);
    let late = own
        .filter(|_| !own_fits)
        .and_then(|own| check.on_own_connection(own, ahead));
    if late.is_some() || others_fit {
        return late;
    }
    others(backlog, request).find_map(|(caller, other)| check.on_other_connection(*caller, other))
}

fn others<'a>(
    backlog: &'a Backlog,
    request: &NewRequest<'_>,
) -> impl Iterator<Item = (&'a Caller, &'a ConnectionBacklog)> {
    let own = request.caller;
    backlog.connections.iter().filter(move |(caller, _)| **caller != own)
}

/// The fluid bounds on all waits with the new request.
struct LatenessCheck<'a, F> {
    backlog: &'a Backlog,
    request: &'a NewRequest<'a>,
    fits: &'a F,
    /// The seconds of work of the new request.
    added: f64,
    /// The seconds of work of its connection and of its principal, with the new request.
    own_connection: f64,
    own_principal: f64,
    principals: CappedSum,
    /// The principal that was examined last, and the loads of its connections.
    siblings: Option<(Principal, CappedSum)>,
    examined: usize,
}

impl<'a, F: Fn(f64, Instant) -> bool> LatenessCheck<'a, F> {
    fn new(backlog: &'a Backlog, request: &'a NewRequest<'a>, fits: &'a F) -> Self {
        let seconds = |rows: &Rows| request.row_times.seconds_on_all_executors(rows);
        let added = seconds(&request.rows.expected);
        let own = backlog.connections.get(&request.caller);
        let own_principal = seconds(&backlog.expected_of(request.caller.principal)) + added;
        let others = backlog
            .principal_loads(request.row_times)
            .filter(|(principal, ..)| *principal != request.caller.principal)
            .map(|(_, load, weight)| (load, weight));
        Self {
            backlog,
            request,
            fits,
            added,
            own_connection: own.map_or(0.0, |own| seconds(&own.expected)) + added,
            own_principal,
            principals: CappedSum::new(others.chain([(own_principal, request.weight)])),
            siblings: None,
            examined: 0,
        }
    }

    fn seconds(&self, rows: &Rows) -> f64 {
        self.request.row_times.seconds_on_all_executors(rows)
    }

    /// The service that `principal` receives until `own` seconds of one of its connections are done.
    fn service(&mut self, principal: Principal, own: f64) -> f64 {
        if self.siblings.as_ref().is_none_or(|(known, _)| *known != principal) {
            let is_own = principal == self.request.caller.principal;
            let others = self
                .backlog
                .of_principal(principal)
                .filter(|(caller, _)| **caller != self.request.caller)
                .map(|(_, connection)| (self.seconds(&connection.expected), 1.0));
            let loads = CappedSum::new(others.chain(is_own.then_some((self.own_connection, 1.0))));
            self.siblings = Some((principal, loads));
        }
        self.siblings.as_ref().map_or(own, |(_, loads)| loads.at(own))
    }

    fn on_own_connection(&mut self, own: &ConnectionBacklog, ahead: &Rows) -> Option<LateRequest> {
        let (principal, weight) = (self.request.caller.principal, self.request.weight);
        let mut before = *ahead;
        for (urgency, left) in own.requests.range(self.request.urgency..) {
            let without = self.seconds(&plus(&before, &left.needed));
            let with = self.service(principal, without + self.added) / weight;
            let without = self.service(principal, without) / weight;
            let fits = |wait: f64| (self.fits)(wait, urgency.deadline);
            let is_late = !fits(self.principals.at(with)) && fits(self.principals.at(without));
            before = plus(&before, &left.expected);
            if is_late || self.is_too_many() {
                let own = self.seconds(&before);
                let service = self.service(principal, own) / weight;
                return Some(LateRequest {
                    finish: self.principals.at(service),
                    deadline: urgency.deadline,
                });
            }
        }
        None
    }

    fn on_other_connection(&mut self, caller: Caller, other: &ConnectionBacklog) -> Option<LateRequest> {
        let service = self.service(caller.principal, self.seconds(&other.expected));
        let whole = self.principals.at(service / other.weight);
        let mut before = Rows::default();
        for (urgency, left) in &other.requests {
            // If all work of the connection is done in time for this deadline, it is for later ones.
            if (self.fits)(whole, urgency.deadline) {
                return None;
            }
            let own = self.seconds(&plus(&before, &left.needed));
            let with = self.wait(caller, other.weight, own);
            let is_late = !(self.fits)(with, urgency.deadline)
                && (self.fits)(self.wait_without(caller, other.weight, own), urgency.deadline);
            before = plus(&before, &left.expected);
            if is_late || self.is_too_many() {
                let own = self.seconds(&before);
                return Some(LateRequest {
                    finish: self.wait(caller, other.weight, own),
                    deadline: urgency.deadline,
                });
            }
        }
        None
    }

    /// The wait until `own` seconds of work of the connection of `caller` are done.
    fn wait(&mut self, caller: Caller, weight: f64, own: f64) -> f64 {
        let service = self.service(caller.principal, own);
        self.principals.at(service / weight)
    }

    /// The same without the new request, which is of another connection.
    fn wait_without(&mut self, caller: Caller, weight: f64, own: f64) -> f64 {
        // The part of the new request in a load of which `service` seconds are served.
        let added = self.added;
        let part = |load: f64, service: f64| load.min(service) - (load - added).min(service);
        let service = self.service(caller.principal, own);
        if caller.principal == self.request.caller.principal {
            let service = service - part(self.own_connection, own);
            self.principals.at(service / weight)
        } else {
            let share = service / weight;
            self.principals.at(share) - part(self.own_principal, share * self.request.weight)
        }
    }

    /// Counts an examined request. Returns whether no further one may be examined.
    fn is_too_many(&mut self) -> bool {
        self.examined += 1;
        self.examined > MAX_EXAMINED
    }
}
