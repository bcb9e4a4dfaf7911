//! The open connections of one listener, and the decision on each new one: a state machine without
//! I/O and without a clock.

use std::collections::HashMap;
use std::time::Instant;

use indexmap::{IndexMap, IndexSet};

use super::eviction::{ConnectionStage, ConnectionView, choose_victim};
use crate::call::Principal;

/// The most connections that one decision looks at. It bounds the work of an accept to some tens of
/// microseconds; a larger table is sampled, each time at another place.
const MAX_VIEWED: usize = 1024;

/// The part of the slots that no single address gets once it holds half of them: an eighth.
const RESERVE_DIVISOR: usize = 8;

/// The part of the slots by which evicted connections that still close may exceed the limit.
const CLOSING_DIVISOR: usize = 8;

/// A connection whose state can be observed.
pub(super) trait ObservableConnection {
    fn view(&self, now: Instant) -> ConnectionView;
}

/// The limits of a table, which a reload can change.
#[derive(Debug, Clone, Copy)]
pub(super) struct TableLimits {
    /// Most open connections.
    pub(super) connections: usize,
    /// Most open connections of one address.
    pub(super) per_peer: usize,
}

impl TableLimits {
    /// The most evicted connections that may still close beside `connections` others.
    fn closing(&self) -> usize {
        (self.connections / CLOSING_DIVISOR).max(1)
    }

    /// The most files that connections under these limits hold open.
    pub(super) fn max_files(connections: usize) -> usize {
        connections.saturating_add((connections / CLOSING_DIVISOR).max(1))
    }
}

/// How an evicted connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EvictionMode {
    /// The peer is asked to close, and has a moment to do so.
    Graceful,
    /// The connection is closed now.
    Immediate,
}

/// A connection that has lost its slot.
#[derive(Debug)]
pub(super) struct Eviction<C> {
    pub(super) connection: C,
    pub(super) stage: ConnectionStage,
    pub(super) mode: EvictionMode,
}

/// Why a new connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefusalReason {
    /// Every open connection has a request in progress.
    AllBusy,
    /// The address holds its share, and each of its connections has a request in progress.
    PeerLimit,
}

/// The decision on a new connection.
#[derive(Debug)]
pub(super) enum Admission<C> {
    /// The connection has a slot under this number. Another one may have lost its slot.
    Accepted(u64, Option<Eviction<C>>),
    Refused(RefusalReason),
}

/// The open connections of one listener.
#[derive(Debug)]
pub(super) struct ConnectionTable<C> {
    entries: IndexMap<u64, Entry<C>>,
    by_address: HashMap<Principal, IndexSet<u64>>,
    /// Evicted connections that have not ended.
    closing: usize,
    next_number: u64,
    /// Where the next decision starts to look.
    cursor: usize,
}

#[derive(Debug)]
struct Entry<C> {
    address: Principal,
    connection: C,
}

impl<C> Default for ConnectionTable<C> {
    fn default() -> Self {
        Self {
            entries: IndexMap::new(),
            by_address: HashMap::new(),
            closing: 0,
            next_number: 0,
            cursor: 0,
        }
    }
}

impl<C: ObservableConnection> ConnectionTable<C> {
    /// The connections that hold a slot.
    pub(super) fn open(&self) -> usize {
        self.entries.len()
    }

    /// Decides on a new connection from `address`.
    pub(super) fn admit(
        &mut self,
        address: Principal,
        connection: C,
        now: Instant,
        limits: &TableLimits,
    ) -> Admission<C> {
        let held = self.by_address.get(&address).map_or(0, IndexSet::len);
        let reserve = limits.connections / RESERVE_DIVISOR;
        let is_scarce = reserve > 0 && self.open() >= limits.connections - reserve;
        let has_its_share = held >= limits.per_peer || (is_scarce && held > limits.connections / 2);
        let eviction = if has_its_share {
            let Some(eviction) = self.evict_of(address, now, limits) else {
                return Admission::Refused(RefusalReason::PeerLimit);
            };
            Some(eviction)
        } else if self.open() >= limits.connections {
            let Some(eviction) = self.evict(now, limits) else {
                return Admission::Refused(RefusalReason::AllBusy);
            };
            Some(eviction)
        } else {
            None
        };
        let number = self.next_number;
        self.next_number += 1;
        self.entries.insert(number, Entry { address, connection });
        self.by_address.entry(address).or_default().insert(number);
        Admission::Accepted(number, eviction)
    }

    /// Evicts the connection that deserves its slot least; `None` if all of them are busy.
    pub(super) fn evict(&mut self, now: Instant, limits: &TableLimits) -> Option<Eviction<C>> {
        let count = self.open();
        let (start, viewed) = (self.cursor, count.min(MAX_VIEWED));
        self.cursor = (start + viewed).checked_rem(count).unwrap_or(0);
        let numbers = (0..viewed).filter_map(|offset| {
            let (number, _) = self.entries.get_index((start + offset) % count)?;
            Some(*number)
        });
        let numbers: Vec<u64> = numbers.collect();
        self.evict_one_of(&numbers, now, limits)
    }

    fn evict_of(&mut self, address: Principal, now: Instant, limits: &TableLimits) -> Option<Eviction<C>> {
        let numbers = self.by_address.get(&address)?.iter().take(MAX_VIEWED);
        let numbers: Vec<u64> = numbers.copied().collect();
        self.evict_one_of(&numbers, now, limits)
    }

    fn evict_one_of(&mut self, numbers: &[u64], now: Instant, limits: &TableLimits) -> Option<Eviction<C>> {
        let view = |number| Some(self.entries.get(number)?.connection.view(now));
        let views: Vec<_> = numbers.iter().filter_map(view).collect();
        let victim = choose_victim(&views)?;
        let stage = views.get(victim)?.stage;
        let connection = self.take(*numbers.get(victim)?)?;
        let mode = match stage == ConnectionStage::Idle && self.closing < limits.closing() {
            true => EvictionMode::Graceful,
            false => EvictionMode::Immediate,
        };
        self.closing += 1;
        Some(Eviction {
            connection,
            stage,
            mode,
        })
    }

    /// Records that a connection has ended, whether it was evicted before or not.
    pub(super) fn remove(&mut self, number: u64) {
        if self.take(number).is_none() {
            self.closing = self.closing.saturating_sub(1);
        }
    }

    fn take(&mut self, number: u64) -> Option<C> {
        let entry = self.entries.swap_remove(&number)?;
        if let Some(numbers) = self.by_address.get_mut(&entry.address) {
            numbers.swap_remove(&number);
            if numbers.is_empty() {
                self.by_address.remove(&entry.address);
            }
        }
        Some(entry.connection)
    }
}

#[cfg(test)]
mod tests;
