//! The memory of requests that have arrived and are not answered.
//!
//! Such a request runs to its end, so nothing can be pushed out. The pool is fair by a dynamic
//! threshold (Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet
//! switches", 1998): a principal may hold at most as many bytes as are free. Of n principals that
//! take all they can, each gets 1/(n+1) of the pool in balance, and as much stays free for the next.

use std::collections::HashMap;

use crate::call::Principal;

/// The bytes that each principal holds. The state has no clock and no lock.
#[derive(Debug, Default)]
pub(super) struct HeldPool {
    principals: HashMap<Principal, usize>,
    bytes: usize,
}

impl HeldPool {
    /// The bytes of all principals.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Gives `principal` `bytes` more if it then holds at most what is left of `limit`. Returns
    /// whether it has them.
    pub(super) fn try_hold(&mut self, principal: Principal, bytes: usize, limit: usize) -> bool {
        let held = self.principals.get(&principal).copied().unwrap_or(0);
        let (held, total) = (held.saturating_add(bytes), self.bytes.saturating_add(bytes));
        if held > limit.saturating_sub(total) {
            return false;
        }
        if bytes > 0 {
            self.principals.insert(principal, held);
            self.bytes = total;
        }
        true
    }

    /// Takes `bytes` back from `principal`.
    pub(super) fn release(&mut self, principal: Principal, bytes: usize) {
        let Some(held) = self.principals.get_mut(&principal) else {
            return;
        };
        let bytes = bytes.min(*held);
        *held -= bytes;
        self.bytes -= bytes;
        if *held == 0 {
            self.principals.remove(&principal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(pool: &mut HeldPool, principal: Principal, limit: usize) -> usize {
        (0..).take_while(|_| pool.try_hold(principal, 1, limit)).count()
    }

    #[test]
    fn greedy_principals_leave_an_equal_share_for_the_next() {
        const LIMIT: usize = 1200;
        for greedy in 1..=5 {
            let mut pool = HeldPool::default();
            // The early ones take more than their share, and nobody takes the last byte.
            for number in 0..greedy {
                assert!(fill(&mut pool, Principal::UnixUser(number), LIMIT) > 0);
            }
            assert!(fill(&mut pool, Principal::Unknown, LIMIT) > 0);
            assert!(pool.bytes() < LIMIT);
        }
        let mut pool = HeldPool::default();
        assert_eq!(fill(&mut pool, Principal::Unknown, LIMIT), LIMIT / 2);
    }

    #[test]
    fn what_is_released_is_free() {
        let mut pool = HeldPool::default();
        assert!(pool.try_hold(Principal::Unknown, 50, 100));
        assert!(!pool.try_hold(Principal::Unknown, 1, 100));
        pool.release(Principal::Unknown, 50);
        assert!(pool.try_hold(Principal::Unknown, 50, 100));
        pool.release(Principal::Unknown, 50);
        pool.release(Principal::Unknown, 50);
        assert_eq!((pool.bytes(), pool.principals.len()), (0, 0));
    }
}
