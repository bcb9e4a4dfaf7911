//! The memory of requests that have arrived and are not answered.
//!
//! Such a request runs to its end, so nothing can be pushed out. The pool is fair by a dynamic
//! threshold (Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet
//! switches", 1998): a principal may hold at most as many bytes as are free. Of n principals that
//! take all they can, each gets 1/(n+1) of the pool in balance, and as much stays free for the next.
//! A connection with several requests may hold at most half of the bytes that its principal may still
//! take, so that a connection leaves room for the others of its principal in the same way. A single
//! request leaves a quarter of its own size, unless it is the only one of its principal.

use std::collections::HashMap;

use crate::call::{Caller, Principal};

/// The bytes that each principal holds, and each of its connections. The state has no clock and no
/// lock.
#[derive(Debug, Default)]
pub(super) struct HeldPool {
    principals: HashMap<Principal, HeldBytes>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct HeldBytes {
    bytes: usize,
    connections: HashMap<u64, usize>,
}

impl HeldPool {
    /// The bytes of all principals.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Gives a request of `caller`, which holds `held_by_request`, `bytes` more if its principal and its
    /// connection then hold at most what `limit` leaves them. Returns whether it has them.
    pub(super) fn try_hold(&mut self, caller: Caller, held_by_request: usize, bytes: usize, limit: usize) -> bool {
        let of_principal = self.principals.get(&caller.principal);
        let held = of_principal.map_or(0, |held| held.bytes);
        let of_connection = of_principal.and_then(|held| held.connections.get(&caller.connection));
        let of_connection = of_connection.copied().unwrap_or(0);
        let has_others = of_connection > held_by_request;
        let is_only_one = held == held_by_request;
        let of_connection = of_connection.saturating_add(bytes);
        let (held, total) = (held.saturating_add(bytes), self.bytes.saturating_add(bytes));
        let free = limit.saturating_sub(total);
        if held > free {
            return false;
        }
        let room = free - held;
        let most = match (has_others, is_only_one) {
            (true, _) => room / 2,
            (false, false) => room.saturating_mul(4),
            (false, true) => usize::MAX,
        };
        if of_connection > most {
            return false;
        }
        if bytes > 0 {
            let of_principal = self.principals.entry(caller.principal).or_default();
            of_principal.bytes = held;
            of_principal.connections.insert(caller.connection, of_connection);
            self.bytes = total;
        }
        true
    }

    /// Takes `bytes` back from `caller`.
    pub(super) fn release(&mut self, caller: Caller, bytes: usize) {
        let Some(of_principal) = self.principals.get_mut(&caller.principal) else {
            return;
        };
        let Some(held) = of_principal.connections.get_mut(&caller.connection) else {
            return;
        };
        let bytes = bytes.min(*held);
        *held -= bytes;
        of_principal.bytes -= bytes;
        self.bytes -= bytes;
        if *held == 0 {
            of_principal.connections.remove(&caller.connection);
        }
        if of_principal.connections.is_empty() {
            self.principals.remove(&caller.principal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1800;

    fn user(number: u32, connection: u64) -> Caller {
        Caller {
            principal: Principal::UnixUser(number),
            connection,
        }
    }

    fn fill(pool: &mut HeldPool, caller: Caller) -> usize {
        (0..).take_while(|_| pool.try_hold(caller, 0, 1, LIMIT)).count()
    }

    #[test]
    fn greedy_principals_leave_a_share_for_the_next() {
        for greedy in 1..=5 {
            let mut pool = HeldPool::default();
            // The early ones take more than their share, and nobody takes the last byte.
            for number in 0..greedy {
                for connection in 0..8 {
                    fill(&mut pool, user(number, connection));
                }
            }
            assert!(fill(&mut pool, user(greedy, 99)) > 0);
            assert!(pool.bytes() < LIMIT);
        }
    }

    #[test]
    fn greedy_connections_leave_a_share_for_the_next_of_their_principal() {
        let mut pool = HeldPool::default();
        assert_eq!(fill(&mut pool, user(0, 0)), LIMIT / 4);
        for greedy in 1..8 {
            assert!(fill(&mut pool, user(0, greedy)) > 0, "{greedy}");
        }
        assert!(pool.bytes() <= LIMIT / 2);
    }

    /// A connection with one large request after the other, beside one that holds what it may.
    #[test]
    fn large_requests_leave_a_share_for_the_next_connection() {
        let mut pool = HeldPool::default();
        for greedy in 0..2 {
            fill(&mut pool, user(0, greedy));
            // One request takes all that it may at once.
            (0..LIMIT)
                .rev()
                .any(|bytes| pool.try_hold(user(0, 100 + greedy), 0, bytes, LIMIT));
            assert!(pool.try_hold(user(0, 200 + greedy), 0, 1, LIMIT), "{greedy}");
        }
    }

    #[test]
    fn what_is_released_is_free() {
        let mut pool = HeldPool::default();
        // One request may hold what its principal may hold.
        assert!(pool.try_hold(user(0, 0), 0, 40, 100));
        assert!(pool.try_hold(user(0, 0), 40, 10, 100));
        assert!(!pool.try_hold(user(0, 0), 50, 1, 100));
        pool.release(user(0, 0), 50);
        assert!(pool.try_hold(user(0, 0), 0, 50, 100));
        pool.release(user(0, 0), 50);
        pool.release(user(0, 0), 50);
        assert_eq!((pool.bytes(), pool.principals.len()), (0, 0));
    }
}
