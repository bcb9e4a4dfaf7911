//! Start-time fair queueing (Goyal, Vin, Cheng 1996) over parties that wait for two models. A state
//! machine without clock or threads. No crate serves: one party waits in the queues of both models
//! with one tag.
//!
//! Each party has a start tag: the service that it has received, in nanoseconds divided by its weight.
//! The party with the smallest tag is served next, and its tag grows by the cost of the service. The
//! virtual time is the largest tag that was served. A party that begins to wait gets the virtual time
//! as its tag, unless its own tag is ahead of it: nobody saves up a share, and nobody loses a debt by
//! leaving and returning.
//!
//! A party may wait for both models while it is served by one. So that it does not wait for the other
//! one without end, each party also has the tag that it had at its last service by each model, and
//! goes first with a model that is far behind.

use std::collections::{BTreeMap, BTreeSet};

use super::urgency::Urgency;
use crate::domain::{PerRole, Role};

/// The most parties whose tag is kept although they do not wait. Each of them is ahead of the virtual
/// time by the cost of its last service at most, so few are.
const MAX_IDLE_PARTIES: usize = 1024;

/// The place of a party: its start tag, then the urgency of its first row.
type Place = (u64, Urgency);

/// The parties that wait, in fair order.
#[derive(Debug)]
pub(super) struct FairOrder<K> {
    virtual_time: u64,
    parties: BTreeMap<K, Party>,
    waiting: PerRole<BTreeSet<(Place, K)>>,
}

#[derive(Debug)]
struct Party {
    tag: u64,
    /// The tag at the last service by each model, or when the party began to wait for it.
    served: PerRole<u64>,
    /// The urgency of its first waiting row of each model.
    heads: PerRole<Option<Urgency>>,
}

impl Party {
    fn waits(&self) -> bool {
        Role::ALL.into_iter().any(|role| self.heads[role].is_some())
    }
}

impl<K> Default for FairOrder<K> {
    fn default() -> Self {
        Self {
            virtual_time: 0,
            parties: BTreeMap::new(),
            waiting: PerRole::default(),
        }
    }
}

impl<K: Copy + Ord> FairOrder<K> {
    /// The party to serve next with `role`, and the urgency of its first row.
    pub(super) fn first(&self, role: Role) -> Option<(Urgency, K)> {
        self.waiting[role].first().map(|((_, urgency), key)| (*urgency, *key))
    }

    /// The place of the party to serve next with `role` among the parties to serve next with either
    /// model. A party whose last service by `role` is more than `lag` behind goes first.
    pub(super) fn place_among_models(&self, role: Role, lag: impl Fn(K) -> u64) -> Option<Place> {
        let (urgency, key) = self.first(role)?;
        let party = self.parties.get(&key)?;
        let is_behind = party.tag.saturating_sub(party.served[role]) > lag(key);
        Some((if is_behind { party.served[role] } else { party.tag }, urgency))
    }

    /// Sets the urgency of the first row of `role` of a party; `None` if no row waits.
    pub(super) fn set_head(&mut self, key: K, role: Role, head: Option<Urgency>) {
        if head.is_none() && !self.parties.contains_key(&key) {
            return;
        }
        let virtual_time = self.virtual_time;
        let party = self.parties.entry(key).or_insert(Party {
            tag: virtual_time,
            served: PerRole::default(),
            heads: PerRole::default(),
        });
        if party.heads[role] == head {
            return;
        }
        if let Some(old) = party.heads[role] {
            self.waiting[role].remove(&((party.tag, old), key));
        }
        if !party.waits() {
            party.tag = party.tag.max(virtual_time);
        }
        if party.heads[role].is_none() {
            party.served[role] = party.tag;
        }
        party.heads[role] = head;
        if let Some(head) = head {
            self.waiting[role].insert(((party.tag, head), key));
        } else if !party.waits() {
            let is_ahead = party.tag > virtual_time;
            self.forget_idle(key, is_ahead);
        }
    }

    /// Records that `role` served a party for `cost` nanoseconds, divided by its weight.
    pub(super) fn charge(&mut self, key: K, role: Role, cost: u64) {
        let Some(party) = self.parties.get_mut(&key) else {
            return;
        };
        self.virtual_time = self.virtual_time.max(party.tag);
        let before = party.tag;
        party.tag = party.tag.saturating_add(cost);
        party.served[role] = party.tag;
        for role in Role::ALL {
            if let Some(head) = party.heads[role] {
                self.waiting[role].remove(&((before, head), key));
                self.waiting[role].insert(((party.tag, head), key));
            }
        }
    }

    /// Forgets `key`, which no longer waits, unless it is ahead of the virtual time while others wait.
    fn forget_idle(&mut self, key: K, is_ahead: bool) {
        if Role::ALL.into_iter().all(|role| self.waiting[role].is_empty()) {
            // Nobody waits, so nobody has a claim on anyone.
            self.parties.clear();
            return;
        }
        if !is_ahead {
            self.parties.remove(&key);
        }
        let waiting: usize = Role::ALL.into_iter().map(|role| self.waiting[role].len()).sum();
        if self.parties.len() > waiting + MAX_IDLE_PARTIES {
            let virtual_time = self.virtual_time;
            self.parties
                .retain(|_, party| party.waits() || party.tag > virtual_time);
            if self.parties.len() > waiting + MAX_IDLE_PARTIES {
                self.parties.remove(&key);
            }
        }
    }
}
