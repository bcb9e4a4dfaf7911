//! The health of the models: a state machine without clock or threads.

use std::time::{Duration, Instant};

use crate::domain::{PerRole, Role};

/// A model is unhealthy after this many session failures without a successful batch in between.
const MAX_CONSECUTIVE_FAILURES: u32 = 3;
/// The delay before the first retry of a session that could not be opened. It doubles each time.
const MIN_RETRY_DELAY: Duration = Duration::from_millis(100);
/// The longest retry delay.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(30);

/// Counts of the broken sessions and of consecutive failures of both models.
#[derive(Debug)]
pub(super) struct ModelHealth {
    executors: usize,
    /// Executors whose session of this model is broken.
    broken: PerRole<usize>,
    /// Consecutive session failures.
    failures: PerRole<u32>,
}

impl ModelHealth {
    pub(super) fn new(executors: usize) -> Self {
        Self {
            executors,
            broken: PerRole::default(),
            failures: PerRole::default(),
        }
    }

    /// Records a successful batch.
    pub(super) fn worked(&mut self, role: Role) {
        self.failures[role] = 0;
    }

    /// Records a session failure.
    pub(super) fn failed(&mut self, role: Role) {
        self.failures[role] = self.failures[role].saturating_add(1);
    }

    /// Records that an executor continues without its session.
    pub(super) fn lost(&mut self, role: Role) {
        self.broken[role] = (self.broken[role] + 1).min(self.executors);
    }

    /// Records that an executor has a working session again.
    pub(super) fn repaired(&mut self, role: Role) {
        self.broken[role] = self.broken[role].saturating_sub(1);
        self.worked(role);
    }

    /// Whether an executor is without a session.
    pub(super) fn any_session_broken(&self) -> bool {
        Role::ALL.into_iter().any(|role| self.broken[role] > 0)
    }

    /// Whether no executor can run this model.
    pub(super) fn all_sessions_broken(&self, role: Role) -> bool {
        self.broken[role] >= self.executors
    }

    /// Whether both models are healthy.
    pub(super) fn is_healthy(&self) -> bool {
        Role::ALL.into_iter().all(|role| self.works(role))
    }

    /// Whether this model is healthy.
    pub(super) fn works(&self, role: Role) -> bool {
        self.failures[role] < MAX_CONSECUTIVE_FAILURES && !self.all_sessions_broken(role)
    }

    /// Executors whose session is broken, by model.
    pub(super) fn broken(&self) -> PerRole<usize> {
        self.broken
    }
}

/// The retry schedule of a session that could not be opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct RepairBackoff {
    attempts: u32,
    pub(super) retry_at: Instant,
}

impl RepairBackoff {
    /// The schedule after the first failed attempt.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            attempts: 0,
            retry_at: now + MIN_RETRY_DELAY,
        }
    }

    /// The schedule after another failed attempt.
    pub(super) fn again(self, now: Instant) -> Self {
        let attempts = self.attempts.saturating_add(1);
        let delay = MIN_RETRY_DELAY
            .saturating_mul(1 << attempts.min(20))
            .min(MAX_RETRY_DELAY);
        Self {
            attempts,
            retry_at: now + delay,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consecutive_failures_make_a_model_unhealthy_until_a_batch_works() {
        let mut health = ModelHealth::new(2);
        for _ in 0..5 {
            health.failed(Role::Robust);
            health.failed(Role::Robust);
            assert!(health.is_healthy());
            health.worked(Role::Robust);
        }
        for failures in 1..=3 {
            health.failed(Role::Robust);
            assert_eq!(health.is_healthy(), failures < 3);
        }
        health.worked(Role::Standard);
        assert!(!health.is_healthy());
        health.worked(Role::Robust);
        assert!(health.is_healthy());
    }

    #[test]
    fn a_model_without_any_session_is_unhealthy() {
        let mut health = ModelHealth::new(2);
        health.lost(Role::Standard);
        assert!(health.is_healthy() && !health.all_sessions_broken(Role::Standard));
        health.lost(Role::Standard);
        assert!(!health.is_healthy() && health.all_sessions_broken(Role::Standard));
        health.repaired(Role::Standard);
        assert!(health.is_healthy());
    }

    #[test]
    fn retry_delays_double_up_to_a_limit() {
        let now = Instant::now();
        let mut backoff = RepairBackoff::new(now);
        let mut delays = Vec::new();
        for _ in 0..40 {
            delays.push(backoff.retry_at - now);
            backoff = backoff.again(now);
        }
        assert_eq!(delays[..3], [MIN_RETRY_DELAY, 2 * MIN_RETRY_DELAY, 4 * MIN_RETRY_DELAY]);
        assert!(delays.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(delays.last(), Some(&MAX_RETRY_DELAY));
    }
}
