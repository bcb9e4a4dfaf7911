//! The memory of requests that have not arrived completely.
//!
//! A half-sent request can be ended at any time, so the pool is fair by pushing out: when it
//! overflows, the principal with the most bytes loses its stalest request ("longest queue drop").
//! A principal that holds no more than the others never loses a request to them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::call::Principal;

/// The number of one half-sent request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct EntryId(u64);

/// Half-sent requests, each with a value of type `T`. The state has no clock and no lock.
#[derive(Debug)]
pub(super) struct HalfSentPool<T> {
    entries: HashMap<EntryId, Entry<T>>,
    principals: HashMap<Principal, PrincipalEntries>,
    /// The principals in the order of their bytes.
    by_bytes: BTreeSet<(usize, Principal)>,
    bytes: usize,
    next_number: u64,
}

#[derive(Debug)]
struct Entry<T> {
    principal: Principal,
    bytes: usize,
    /// The time of the last growth: a number that rises with every growth in the pool.
    grown_at: u64,
    value: T,
}

#[derive(Debug, Default)]
struct PrincipalEntries {
    bytes: usize,
    /// The requests, the stalest first.
    by_growth: BTreeMap<u64, EntryId>,
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
            by_bytes: BTreeSet::new(),
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

    /// Adds a request of `principal` without bytes.
    pub(super) fn insert(&mut self, principal: Principal, value: T) -> EntryId {
        let grown_at = self.next_number;
        self.next_number += 1;
        let id = EntryId(grown_at);
        let entry = Entry {
            principal,
            bytes: 0,
            grown_at,
            value,
        };
        self.entries.insert(id, entry);
        let of_principal = self.principals.entry(principal).or_default();
        of_principal.by_growth.insert(grown_at, id);
        self.by_bytes.insert((of_principal.bytes, principal));
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
        let principal = entry.principal;
        entry.bytes = entry.bytes.saturating_add(bytes);
        let stale_since = std::mem::replace(&mut entry.grown_at, self.next_number);
        if let Some(of_principal) = self.principals.get_mut(&principal) {
            of_principal.by_growth.remove(&stale_since);
            of_principal.by_growth.insert(self.next_number, id);
        }
        self.next_number += 1;
        self.change_bytes(principal, |held| held.saturating_add(bytes));
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
        self.bytes -= entry.bytes;
        self.change_bytes(entry.principal, |held| held - entry.bytes);
        if let Some(of_principal) = self.principals.get_mut(&entry.principal) {
            of_principal.by_growth.remove(&entry.grown_at);
            if of_principal.by_growth.is_empty() {
                self.by_bytes.remove(&(of_principal.bytes, entry.principal));
                self.principals.remove(&entry.principal);
            }
        }
        Some(entry.value)
    }

    fn change_bytes(&mut self, principal: Principal, change: impl FnOnce(usize) -> usize) {
        let Some(of_principal) = self.principals.get_mut(&principal) else {
            return;
        };
        self.by_bytes.remove(&(of_principal.bytes, principal));
        of_principal.bytes = change(of_principal.bytes);
        self.by_bytes.insert((of_principal.bytes, principal));
    }

    fn stalest_of_largest(&self) -> Option<EntryId> {
        let (_, largest) = self.by_bytes.last()?;
        let (_, id) = self.principals.get(largest)?.by_growth.first_key_value()?;
        Some(*id)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn user(number: u32) -> Principal {
        Principal::UnixUser(number)
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
        assert_eq!((pool.bytes(), pool.remove(id)), (0, None));
        assert!(pool.principals.is_empty() && pool.by_bytes.is_empty());
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
            prop_assert!(pool.bytes() == 0 && pool.principals.is_empty() && pool.by_bytes.is_empty());
        }
    }
}
