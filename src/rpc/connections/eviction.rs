//! Chooses the connection that loses its slot when another one needs it: a function of what is
//! known about each connection, without I/O and without a clock.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use crate::call::Principal;

/// The part of the slots that pending connections may hold before they lose theirs first: a
/// quarter. A caller that arrives has to survive there until its first request, also while an
/// attacker fills the rest with idle connections.
const PENDING_SHARE_DIVISOR: usize = 4;

/// What a connection has shown so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectionStage {
    /// The peer has sent no request that the server accepts, and no client certificate.
    Pending,
    /// The peer has authenticated, or has sent a request if the server needs no credentials. The
    /// server works on nothing for it: it waits for the peer, or for an event without end.
    Idle,
    /// The server works on a request that has arrived whole.
    Busy,
}

/// As a log line names it.
impl fmt::Display for ConnectionStage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Pending => "pending",
            Self::Idle => "idle",
            Self::Busy => "busy",
        })
    }
}

/// A connection at the time of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionView {
    /// The party that the connection belongs to.
    pub peer: Principal,
    /// What the connection has shown.
    pub stage: ConnectionStage,
    /// Time since the last request or part of a response; the age of a pending connection.
    pub quiet_for: Duration,
}

/// The index of the connection that loses its slot; `None` if all of them are busy.
///
/// Pending connections lose theirs first if they hold more than a quarter of the slots, and idle
/// connections otherwise. Within a stage the connection with the largest product of its silence and
/// the number of its peer's connections in that stage goes: of two peers, the one with many
/// connections loses its own first, and of one peer's connections the longest silent.
#[must_use]
pub fn choose_victim(connections: &[ConnectionView]) -> Option<usize> {
    let pending = connections
        .iter()
        .filter(|connection| connection.stage == ConnectionStage::Pending)
        .count();
    let pending_share = (connections.len() / PENDING_SHARE_DIVISOR).max(1);
    let order = match pending > pending_share {
        true => [ConnectionStage::Pending, ConnectionStage::Idle],
        false => [ConnectionStage::Idle, ConnectionStage::Pending],
    };
    order.into_iter().find_map(|stage| longest_silent(connections, stage))
}

fn longest_silent(connections: &[ConnectionView], stage: ConnectionStage) -> Option<usize> {
    let of_stage = || {
        let connections = connections.iter().enumerate();
        connections.filter(move |(_, connection)| connection.stage == stage)
    };
    let mut held: HashMap<Principal, u128> = HashMap::new();
    for (_, connection) in of_stage() {
        *held.entry(connection.peer).or_default() += 1;
    }
    // A nanosecond keeps the order by number among connections that were accepted at once.
    let weight = |connection: &ConnectionView| {
        let held = held.get(&connection.peer).copied().unwrap_or(1);
        (connection.quiet_for.as_nanos() + 1).saturating_mul(held)
    };
    of_stage()
        .max_by_key(|(_, connection)| weight(connection))
        .map(|(index, _)| index)
}

#[cfg(test)]
mod tests;
