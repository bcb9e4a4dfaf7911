//! The events of the executors, for metrics.

use std::time::Duration;

use crate::domain::{OutputRowFlaws, Role};

/// Receives the events of the executors on their threads: a method must not block or take long.
pub trait ModelObserver: Send + Sync {
    /// A batch of `rows` rows took `elapsed` to fill, run and deliver to its jobs.
    fn ran(&self, role: Role, rows: usize, elapsed: Duration) {
        let _ = (role, rows, elapsed);
    }

    /// A batch had rows that are not finite or not probabilities.
    fn rows_flawed(&self, role: Role, flaws: OutputRowFlaws) {
        let _ = (role, flaws);
    }

    /// An audit ran a batch again row by row. `same` is whether each row had the same output.
    fn rows_audited(&self, role: Role, same: bool) {
        let _ = (role, same);
    }

    /// The model failed on a batch.
    fn batch_failed(&self, role: Role) {
        let _ = role;
    }

    /// A session failed the probe that follows a failed batch.
    fn session_failed(&self, role: Role) {
        let _ = role;
    }

    /// A failed session was opened again.
    fn session_repaired(&self, role: Role) {
        let _ = role;
    }
}

/// Ignores all events.
impl ModelObserver for () {}
