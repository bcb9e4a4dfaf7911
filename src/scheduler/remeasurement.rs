//! The decision to measure the time per row again on an idle executor: a state machine without clock
//! or threads.
//!
//! Admission refuses a request that cannot meet its deadline even alone. A stall of the machine can
//! raise the estimate so far that admission refuses everything, and then no run corrects it. An idle
//! executor therefore measures again after such a refusal.

use std::time::{Duration, Instant};

use crate::domain::{PerRole, Role};

/// The shortest time between a run of a model and a measurement, and between two measurements.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// The measurements that are due.
#[derive(Debug, Default)]
pub(super) struct Remeasurement {
    due: PerRole<bool>,
    /// The time of the last run or measurement; `None` before the first.
    last_run: PerRole<Option<Instant>>,
}

impl Remeasurement {
    /// Records at `now` that the estimate for the models with `rows` rows caused a refusal. Returns
    /// whether a measurement is due.
    pub(super) fn refused(&mut self, rows: &PerRole<u64>, now: Instant) -> bool {
        for role in Role::ALL.into_iter().filter(|&role| rows[role] > 0) {
            let is_old = |last: Instant| now.saturating_duration_since(last) >= MIN_INTERVAL;
            self.due[role] |= self.last_run[role].is_none_or(is_old);
        }
        Role::ALL.into_iter().any(|role| self.due[role])
    }

    /// Records that `role` ran at `now`, which updates the estimate.
    pub(super) fn ran(&mut self, role: Role, now: Instant) {
        self.due[role] = false;
        self.last_run[role] = Some(now);
    }

    /// Begins a measurement at `now` of one of the models that the executor is `able` to run.
    pub(super) fn begin(&mut self, able: PerRole<bool>, now: Instant) -> Option<Role> {
        let role = Role::ALL.into_iter().find(|&role| self.due[role] && able[role])?;
        self.ran(role, now);
        Some(role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: PerRole<u64> = PerRole { standard: 1, robust: 1 };
    const ABLE: PerRole<bool> = PerRole {
        standard: true,
        robust: true,
    };

    #[test]
    fn a_refusal_measures_each_model_once_a_second() {
        let (start, mut remeasurement) = (Instant::now(), Remeasurement::default());
        assert_eq!(remeasurement.begin(ABLE, start), None);
        assert!(remeasurement.refused(&BOTH, start));
        assert_eq!(remeasurement.begin(ABLE, start), Some(Role::Standard));
        assert_eq!(remeasurement.begin(ABLE, start), Some(Role::Robust));
        assert_eq!(remeasurement.begin(ABLE, start), None);
        assert!(!remeasurement.refused(&BOTH, start + MIN_INTERVAL / 2));
        assert!(remeasurement.refused(&BOTH, start + MIN_INTERVAL));
        // A run makes the measurement needless.
        remeasurement.ran(Role::Standard, start + MIN_INTERVAL);
        assert_eq!(remeasurement.begin(ABLE, start + MIN_INTERVAL), Some(Role::Robust));
    }

    #[test]
    fn only_a_model_with_a_session_is_measured() {
        let (start, mut remeasurement) = (Instant::now(), Remeasurement::default());
        let robust = PerRole { standard: 0, robust: 1 };
        assert!(remeasurement.refused(&robust, start));
        let able = PerRole {
            standard: true,
            robust: false,
        };
        assert_eq!(remeasurement.begin(able, start), None);
        assert_eq!(remeasurement.begin(ABLE, start), Some(Role::Robust));
    }
}
