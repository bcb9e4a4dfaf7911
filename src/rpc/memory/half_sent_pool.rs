//! The memory of requests that have not arrived completely.
//!
//! A half-sent request can be ended at any time, so the pool is fair by pushing out ("longest queue
//! drop"): when it overflows, the principal with the most bytes loses, of its connections the one
//! with the most bytes, and of its requests the stalest. A caller that holds no more than the others
//! never loses a request to them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

use crate::call::{Caller, Principal};

/// The number of one half-sent request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct EntryId(u64);

/// Half-sent requests, each with a value of type `T`. The state has no clock and no lock.
#[derive(Debug)]
pub(super) struct HalfSentPool<T> {
    entries: HashMap<EntryId, Entry<T>>,
    principals: HashMap<Principal, PrincipalEntries>,
    /// The bytes of each principal.
    by_bytes: Ranking<Principal>,
    bytes: usize,
    next_number: u64,
}

#[derive(Debug)]
struct Entry<T> {
    caller: Caller,
    bytes: usize,
    /// The time of the last growth: a number that rises with every growth in the pool.
    grown_at: u64,
    value: T,
}

/// The requests of one principal.
#[derive(Debug, Default)]
struct PrincipalEntries {
    /// The requests of each connection, the stalest first.
    by_growth: HashMap<u64, BTreeMap<u64, EntryId>>,
    /// The bytes of each connection.
    by_bytes: Ranking<u64>,
}

/// Holders in the order of their bytes.
#[derive(Debug)]
struct Ranking<K> {
    bytes: HashMap<K, usize>,
    order: BTreeSet<(usize, K)>,
}

impl<K> Default for Ranking<K> {
    fn default() -> Self {
        Self {
            bytes: HashMap::new(),
            order: BTreeSet::new(),
        }
    }
}

impl<K: Copy + Ord + Hash> Ranking<K> {
    /// Changes the bytes of `holder`, which has none at first.
    fn change(&mut self, holder: K, change: impl FnOnce(usize) -> usize) {
        let bytes = self.bytes.entry(holder).or_default();
        self.order.remove(&(*bytes, holder));
        *bytes = change(*bytes);
        self.order.insert((*bytes, holder));
    }

    fn remove(&mut self, holder: K) {
        if let Some(bytes) = self.bytes.remove(&holder) {
            self.order.remove(&(bytes, holder));
        }
    }

    fn largest(&self) -> Option<K> {
        self.order.last().map(|(_, holder)| *holder)
    }
}

/// The result of a growth.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Growth<T> {
    /// Whether the request has its bytes. Otherwise it is no longer in the pool.
    pub(super) is_admitted: bool,
    /// The requests that were pushed out.
    pub(super) evicted: Vec<T>,
}

impl<T> Default for HalfSentPool<T> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            principals: HashMap::new(),
            by_bytes: Ranking::default(),
            bytes: 0,
            next_number: 0,
        }
    }
}

impl<T> HalfSentPool<T> {
    /// The bytes of all requests.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds a request of `caller` without bytes.
    pub(super) fn insert(&mut self, caller: Caller, value: T) -> EntryId {
        let grown_at = self.next_number;
        self.next_number += 1;
        let id = EntryId(grown_at);
        let entry = Entry {
            caller,
            bytes: 0,
            grown_at,
            value,
        };
        self.entries.insert(id, entry);
        let of_principal = self.principals.entry(caller.principal).or_default();
        let of_connection = of_principal.by_growth.entry(caller.connection).or_default();
        of_connection.insert(grown_at, id);
        self.change_bytes(caller, |held| held);
        id
    }

    /// Adds `bytes` to the request `id`, and pushes out requests until the pool holds at most
    /// `limit` bytes. A request that is not in the pool is not admitted.
    pub(super) fn grow(&mut self, id: EntryId, bytes: usize, limit: usize) -> Growth<T> {
        let mut evicted = Vec::new();
        let Some(entry) = self.entries.get_mut(&id) else {
            return Growth {
                is_admitted: false,
                evicted,
            };
        };
        let caller = entry.caller;
        entry.bytes = entry.bytes.saturating_add(bytes);
        let grown_at = self.next_number;
        let stale_since = std::mem::replace(&mut entry.grown_at, grown_at);
        self.next_number += 1;
        if let Some(of_connection) = self.of_connection(caller) {
            of_connection.remove(&stale_since);
            of_connection.insert(grown_at, id);
        }
        self.change_bytes(caller, |held| held.saturating_add(bytes));
        self.bytes = self.bytes.saturating_add(bytes);
        while self.bytes > limit {
            let Some(victim) = self.stalest_of_largest() else { break };
            let value = self.remove(victim);
            if victim == id {
                return Growth {
                    is_admitted: false,
                    evicted,
                };
            }
            evicted.extend(value);
        }
        Growth {
            is_admitted: true,
            evicted,
        }
    }

    /// Removes a request and returns its value. `None` if it is not in the pool.
    pub(super) fn remove(&mut self, id: EntryId) -> Option<T> {
        let entry = self.entries.remove(&id)?;
        let Caller { principal, connection } = entry.caller;
        self.bytes -= entry.bytes;
        self.change_bytes(entry.caller, |held| held - entry.bytes);
        if let Some(of_connection) = self.of_connection(entry.caller) {
            of_connection.remove(&entry.grown_at);
        }
        if let Some(of_principal) = self.principals.get_mut(&principal) {
            if of_principal.by_growth.get(&connection).is_some_and(BTreeMap::is_empty) {
                of_principal.by_growth.remove(&connection);
                of_principal.by_bytes.remove(connection);
            }
            if of_principal.by_growth.is_empty() {
                self.principals.remove(&principal);
                self.by_bytes.remove(principal);
            }
        }
        Some(entry.value)
    }

    fn of_connection(&mut self, caller: Caller) -> Option<&mut BTreeMap<u64, EntryId>> {
        let of_principal = self.principals.get_mut(&caller.principal)?;
        of_principal.by_growth.get_mut(&caller.connection)
    }

    fn change_bytes(&mut self, caller: Caller, change: impl Fn(usize) -> usize) {
        self.by_bytes.change(caller.principal, &change);
        if let Some(of_principal) = self.principals.get_mut(&caller.principal) {
            of_principal.by_bytes.change(caller.connection, &change);
        }
    }

    fn stalest_of_largest(&self) -> Option<EntryId> {
        let of_principal = self.principals.get(&self.by_bytes.largest()?)?;
        let of_connection = of_principal.by_growth.get(&of_principal.by_bytes.largest()?)?;
        of_connection.first_key_value().map(|(_, id)| *id)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The only connection of a user.
    fn user(number: u32) -> Caller {
        connection(number, 0)
    }

    fn connection(number: u32, connection: u64) -> Caller {
        Caller {
            principal: Principal::UnixUser(number),
            connection,
        }
    }

    fn is_empty<T>(pool: &HalfSentPool<T>) -> bool {
        pool.bytes() == 0
            && pool.principals.is_empty()
            && pool.by_bytes.order.is_empty()
            && pool.by_bytes.bytes.is_empty()
    }

    #[test]
    fn the_largest_connection_of_a_principal_loses() {
        let mut pool = HalfSentPool::default();
        // The request of the small connection is the stalest.
        let honest = pool.insert(connection(1, 1), "honest");
        assert!(pool.grow(honest, 30, 100).is_admitted);
        for name in ["first", "second", "third"] {
            let id = pool.insert(connection(1, 2), name);
            let growth = pool.grow(id, 30, 100);
            assert!(
                growth.is_admitted && growth.evicted.iter().all(|name| *name == "first"),
                "{growth:?}"
            );
        }
        assert_eq!(pool.remove(honest), Some("honest"));
    }

    #[test]
    fn the_largest_principal_loses_its_stalest_request() {
        let mut pool = HalfSentPool::default();
        let [first, second, third] = ["first", "second", "third"].map(|name| pool.insert(user(1), name));
        for id in [second, first, third] {
            assert!(pool.grow(id, 30, 100).is_admitted);
        }
        let honest = pool.insert(user(2), "honest");
        let growth = pool.grow(honest, 40, 100);
        assert!(growth.is_admitted);
        assert_eq!(growth.evicted, ["second"]);
        assert_eq!(pool.bytes(), 100);
        // The request that was pushed out gets nothing more.
        assert!(!pool.grow(second, 1, 100).is_admitted);
    }

    #[test]
    fn a_request_that_alone_exceeds_the_pool_is_refused() {
        let mut pool = HalfSentPool::default();
        let id = pool.insert(user(1), ());
        assert!(!pool.grow(id, 101, 100).is_admitted);
        assert_eq!(pool.remove(id), None);
        assert!(is_empty(&pool));
    }

    proptest! {
        /// A principal with at most an equal share of the pool never loses a request, whatever the
        /// others do, and the pool never holds more than its limit.
        #[test]
        fn a_share_is_safe_from_others(steps in prop::collection::vec((1..8_u32, 0..5_usize, 1..40_usize, any::<bool>()), 1..400)) {
            const LIMIT: usize = 400;
            const SHARE: usize = LIMIT / 8;
            let mut pool = HalfSentPool::default();
            let honest = pool.insert(user(0), true);
            prop_assert!(pool.grow(honest, SHARE, LIMIT).is_admitted);
            let mut ids = Vec::new();
            for (principal, pick, bytes, removes) in steps {
                let id = match ids.get(pick) {
                    Some(id) => *id,
                    None => {
                        let id = pool.insert(user(principal), false);
                        ids.push(id);
                        id
                    }
                };
                if removes {
                    pool.remove(id);
                    ids.retain(|other| *other != id);
                } else {
                    let growth = pool.grow(id, bytes, LIMIT);
                    prop_assert!(!growth.evicted.contains(&true));
                }
                prop_assert!(pool.bytes() <= LIMIT);
                prop_assert_eq!(pool.bytes(), pool.entries.values().map(|entry| entry.bytes).sum::<usize>());
            }
            prop_assert_eq!(pool.remove(honest), Some(true));
            for id in ids {
                pool.remove(id);
            }
            prop_assert!(is_empty(&pool));
        }
    }
}
