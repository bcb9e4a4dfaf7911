//! Whether the models work: a state machine without clock or threads.

use std::time::{Duration, Instant};

use crate::domain::{PerRole, Role};

/// A model counts as unhealthy after this many broken sessions with no batch that worked between them.
const UNHEALTHY_AFTER: u32 = 3;
/// A session that could not be opened anew is tried again after this, doubled each time,
const FIRST_RETRY: Duration = Duration::from_millis(100);
/// up to this.
const LAST_RETRY: Duration = Duration::from_secs(30);

/// The sessions of every executor.
#[derive(Debug)]
pub(super) struct Condition {
    executors: usize,
    /// Executors whose session of that model is broken.
    broken: PerRole<usize>,
    /// Broken sessions in a row.
    failures: PerRole<u32>,
}

impl Condition {
    pub(super) fn new(executors: usize) -> Self {
        Self {
            executors,
            broken: PerRole::default(),
            failures: PerRole::default(),
        }
    }

    /// A batch worked.
    pub(super) fn worked(&mut self, role: Role) {
        self.failures[role] = 0;
    }

    /// A session turned out to be broken.
    pub(super) fn failed(&mut self, role: Role) {
        self.failures[role] = self.failures[role].saturating_add(1);
    }

    /// An executor goes on without its session.
    pub(super) fn lost(&mut self, role: Role) {
        self.broken[role] = (self.broken[role] + 1).min(self.executors);
    }

    /// An executor has a session again.
    pub(super) fn repaired(&mut self, role: Role) {
        self.broken[role] = self.broken[role].saturating_sub(1);
        self.worked(role);
    }

    /// Whether some executor cannot run one of the models.
    pub(super) fn anyone_lacks_a_session(&self) -> bool {
        Role::ALL.into_iter().any(|role| self.broken[role] > 0)
    }

    /// A model that no executor can run.
    pub(super) fn unable(&self, role: Role) -> bool {
        self.broken[role] >= self.executors
    }

    /// Whether both models work, as far as is known.
    pub(super) fn is_healthy(&self) -> bool {
        Role::ALL.into_iter().all(|role| self.works(role))
    }

    /// Whether a model works, as far as is known.
    pub(super) fn works(&self, role: Role) -> bool {
        self.failures[role] < UNHEALTHY_AFTER && !self.unable(role)
    }

    /// Executors whose session is broken.
    pub(super) fn broken(&self) -> PerRole<usize> {
        self.broken
    }
}

/// One executor's session of one model that could not be opened anew.
#[derive(Debug, Clone, Copy)]
pub(super) struct Repair {
    attempts: u32,
    pub(super) retry_at: Instant,
}

impl Repair {
    /// After the first attempt has failed.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            attempts: 0,
            retry_at: now + FIRST_RETRY,
        }
    }

    /// After one more attempt has failed.
    pub(super) fn again(self, now: Instant) -> Self {
        let attempts = self.attempts.saturating_add(1);
        let pause = FIRST_RETRY.saturating_mul(1 << attempts.min(20)).min(LAST_RETRY);
        Self {
            attempts,
            retry_at: now + pause,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_turns_after_failures_in_a_row_and_comes_back() {
        let mut condition = Condition::new(2);
        for _ in 0..5 {
            condition.failed(Role::Robust);
            condition.failed(Role::Robust);
            assert!(condition.is_healthy());
            condition.worked(Role::Robust);
        }
        for failures in 1..=3 {
            condition.failed(Role::Robust);
            assert_eq!(condition.is_healthy(), failures < 3);
        }
        condition.worked(Role::Standard);
        assert!(!condition.is_healthy());
        condition.worked(Role::Robust);
        assert!(condition.is_healthy());
    }

    #[test]
    fn a_model_that_nobody_can_run_is_unhealthy() {
        let mut condition = Condition::new(2);
        condition.lost(Role::Standard);
        assert!(condition.is_healthy() && !condition.unable(Role::Standard));
        condition.lost(Role::Standard);
        assert!(!condition.is_healthy() && condition.unable(Role::Standard));
        condition.repaired(Role::Standard);
        assert!(condition.is_healthy());
    }

    #[test]
    fn a_session_is_tried_again_ever_more_rarely() {
        let now = Instant::now();
        let mut repair = Repair::new(now);
        let mut pauses = Vec::new();
        for _ in 0..40 {
            pauses.push(repair.retry_at - now);
            repair = repair.again(now);
        }
        assert_eq!(pauses[..3], [FIRST_RETRY, 2 * FIRST_RETRY, 4 * FIRST_RETRY]);
        assert!(pauses.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(pauses.last(), Some(&LAST_RETRY));
    }
}
