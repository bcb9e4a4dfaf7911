//! The capacity for outstanding rows, shared between callers. A state machine.
//!
//! Rows of each priority have the capacity that rows of the other one leave, and bulk rows at most
//! [`bulk_capacity`]. A principal's share of the capacity is in proportion to its weight among the principals that hold
//! rows and one more, and a connection's share is an equal part of that among the connections that
//! hold rows and one more. A request within the share of the principal may use all free capacity; if it
//! is beyond the share of the connection, an eighth of the principal's share stays free for the other
//! connections. Beyond the share of the principal, a quarter of the capacity stays free for other
//! principals; beyond that of the connection too, a further eighth for the other connections. A principal that
//! holds no rows of a model may use all free capacity, so that a request as large as the capacity can
//! be admitted.

use std::collections::BTreeMap;

use super::caller_share::CallerShare;
use crate::call::{Caller, Principal};
use crate::domain::{PerRole, Priority, Role};

/// The capacity for bulk requests. The rest is reserved for interactive requests, so that many
/// certifications cannot cause the refusal of every Predict.
#[must_use]
pub fn bulk_capacity(capacity: usize) -> usize {
    capacity - capacity / 4
}

/// The part of the capacity that stays free for principals within their share.
const PRINCIPAL_RESERVE: usize = 4;
/// The part that stays free for connections within their share.
const CONNECTION_RESERVE: usize = 8;

/// Outstanding rows by priority and model.
#[derive(Debug, Clone, Copy, Default)]
struct HeldRows([PerRole<usize>; 2]);

impl HeldRows {
    fn total(&self, role: Role) -> usize {
        self.0.iter().map(|rows| rows[role]).sum()
    }

    fn of(&self, priority: Priority, role: Role) -> usize {
        self.0[priority.index()][role]
    }

    fn add(&mut self, priority: Priority, rows: &PerRole<usize>) {
        for role in Role::ALL {
            self.0[priority.index()][role] += rows[role];
        }
    }

    fn remove(&mut self, priority: Priority, rows: &PerRole<usize>) {
        let held = &mut self.0[priority.index()];
        for role in Role::ALL {
            held[role] = held[role].saturating_sub(rows[role]);
        }
    }
}

/// The rows that a party holds, and the number of its requests.
#[derive(Debug, Default)]
struct Holder {
    rows: HeldRows,
    requests: usize,
}

/// The rows of a principal, with those of each of its connections.
#[derive(Debug)]
struct PrincipalHolder {
    weight: f64,
    holder: Holder,
    connections: BTreeMap<u64, Holder>,
}

/// Why rows are not free for a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CapacityError {
    /// All capacity is taken.
    Full {
        role: Role,
        admitted: usize,
        capacity: usize,
    },
    /// The rest is kept for other callers.
    ShareExhausted { role: Role, held: usize, capacity: usize },
}

/// The outstanding rows of all callers.
#[derive(Debug)]
pub(super) struct CapacityShares {
    capacity: usize,
    rows: HeldRows,
    principals: BTreeMap<Principal, PrincipalHolder>,
    /// The sum of the weights of the principals.
    weights: f64,
}

impl CapacityShares {
    /// A bound of `capacity` outstanding rows of each model.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            rows: HeldRows::default(),
            principals: BTreeMap::new(),
            weights: 0.0,
        }
    }

    /// The bound on the outstanding rows of each model.
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// The outstanding rows.
    pub(super) fn outstanding(&self) -> PerRole<usize> {
        PerRole::of(|role| self.rows.total(role))
    }

    /// Whether `wanted` more rows fit.
    pub(super) fn check(
        &self,
        priority: Priority,
        share: &CallerShare,
        wanted: &PerRole<usize>,
    ) -> Result<(), CapacityError> {
        let principal = self.principals.get(&share.caller.principal);
        let connection = principal.and_then(|holder| holder.connections.get(&share.caller.connection));
        let nothing = HeldRows::default();
        let of_principal = principal.map_or(&nothing, |principal| &principal.holder.rows);
        let of_connection = connection.map_or(&nothing, |connection| &connection.rows);
        // The shares that the caller would have with this request, beside one more caller.
        let others = self.weights - principal.map_or(0.0, |principal| principal.weight);
        let share_of_principal = share.weight / (others.max(0.0) + share.weight + 1.0);
        let connections = principal.map_or(0, |principal| principal.connections.len());
        let connections = connections + usize::from(connection.is_none()) + 1;
        let share_of_connection = share_of_principal / as_float(connections);
        for role in Role::ALL.into_iter().filter(|&role| wanted[role] > 0) {
            let wanted = wanted[role];
            let bound = match priority {
                Priority::Interactive => self.capacity,
                Priority::Bulk => bulk_capacity(self.capacity),
            };
            let admitted = self.rows.of(priority, role);
            // The rows of the other priority take from the capacity.
            let taken = self.rows.total(role) - admitted;
            let capacity = bound.min(self.capacity.saturating_sub(taken));
            let free = capacity.saturating_sub(admitted);
            if wanted > free {
                return Err(CapacityError::Full {
                    role,
                    admitted: bound.saturating_sub(free),
                    capacity: bound,
                });
            }
            let held = of_principal.of(priority, role);
            if held == 0 {
                continue;
            }
            let is_within = |held: usize, share: f64| as_float(held + wanted) <= share * as_float(capacity);
            let (principals, connections) = (capacity / PRINCIPAL_RESERVE, capacity / CONNECTION_RESERVE);
            let is_connection_within = is_within(of_connection.of(priority, role), share_of_connection);
            let rest = 1.0 - 1.0 / as_float(CONNECTION_RESERVE);
            let is_principal_within =
                is_within(held, share_of_principal * if is_connection_within { 1.0 } else { rest });
            let reserve = match (is_principal_within, is_connection_within) {
                (true, _) => 0,
                (false, true) => principals,
                (false, false) => principals + connections,
            };
            let is_over_bound = as_float(held + wanted) > share.max_share * as_float(bound);
            if is_over_bound || wanted > free.saturating_sub(reserve) {
                return Err(CapacityError::ShareExhausted {
                    role,
                    held,
                    capacity: bound,
                });
            }
        }
        Ok(())
    }

    /// Takes `rows` for a request.
    pub(super) fn take(&mut self, priority: Priority, share: &CallerShare, rows: &PerRole<usize>) {
        self.rows.add(priority, rows);
        let Caller { principal, connection } = share.caller;
        let principal = self.principals.entry(principal).or_insert_with(|| PrincipalHolder {
            weight: 0.0,
            holder: Holder::default(),
            connections: BTreeMap::new(),
        });
        self.weights += share.weight - principal.weight;
        principal.weight = share.weight;
        let connection = principal.connections.entry(connection).or_default();
        for holder in [&mut principal.holder, connection] {
            holder.rows.add(priority, rows);
            holder.requests += 1;
        }
    }

    /// Returns the `rows` of a request of `caller`. A caller without requests is forgotten.
    pub(super) fn release(&mut self, priority: Priority, caller: Caller, rows: &PerRole<usize>) {
        let Some(principal) = self.principals.get_mut(&caller.principal) else {
            return;
        };
        let Some(connection) = principal.connections.get_mut(&caller.connection) else {
            return;
        };
        self.rows.remove(priority, rows);
        for holder in [&mut principal.holder, &mut *connection] {
            holder.rows.remove(priority, rows);
            holder.requests = holder.requests.saturating_sub(1);
        }
        if connection.requests == 0 {
            principal.connections.remove(&caller.connection);
        }
        if principal.holder.requests == 0 {
            self.weights -= principal.weight;
            self.principals.remove(&caller.principal);
        }
        if self.principals.is_empty() {
            // Rounding errors do not accumulate.
            self.weights = 0.0;
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "rows stay far below 2^53")]
fn as_float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
