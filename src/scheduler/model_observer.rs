//! The events of the scheduler, for metrics.

use std::time::Duration;

use crate::call::RefusalReason;
use crate::domain::{OutputRowFlaws, Priority, Role};

/// Receives the events of the scheduler on the threads of executors and requests: a method must not
/// block or take long. A caller is named by the operator's name for its principal, or `other`.
pub trait ModelObserver: Send + Sync {
    /// A batch of `rows` rows took `elapsed` to fill, run and deliver to its jobs.
    fn ran(&self, role: Role, rows: usize, elapsed: Duration) {
        let _ = (role, rows, elapsed);
    }

    /// A batch had `rows` rows of a caller.
    fn ran_for(&self, caller: &str, role: Role, rows: usize) {
        let _ = (caller, role, rows);
    }

    /// A request of a caller was admitted.
    fn admitted(&self, caller: &str) {
        let _ = caller;
    }

    /// A request of a caller was refused.
    fn refused(&self, caller: &str, reason: RefusalReason) {
        let _ = (caller, reason);
    }

    /// A request of `priority` asked for `work` of one executor's time; `admitted` is whether it gets
    /// it. `work` is zero for a request whose deadline no server could meet.
    fn demanded(&self, priority: Priority, admitted: bool, work: Duration) {
        let _ = (priority, admitted, work);
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
