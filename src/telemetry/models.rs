//! What the models do, and who is told: batches, sessions that break, and what waits.

use std::time::Duration;

use crate::domain::{PerRole, Role, RowFlaws};

/// Is told what the executors do, on their threads: nothing here may wait or take long.
pub trait ModelObserver: Send + Sync {
    /// A batch of `rows` rows ran for `elapsed`: made, run and delivered, and not yet sent.
    fn ran(&self, role: Role, rows: usize, elapsed: Duration) {
        let _ = (role, rows, elapsed);
    }

    /// A batch had rows that are not what they should be.
    fn rows_flawed(&self, role: Role, flaws: RowFlaws) {
        let _ = (role, flaws);
    }

    /// A batch was run again row by row; whether each row was the same.
    fn rows_audited(&self, role: Role, same: bool) {
        let _ = (role, same);
    }

    /// The model failed on a batch.
    fn batch_failed(&self, role: Role) {
        let _ = role;
    }

    /// A session turned out to be broken.
    fn session_failed(&self, role: Role) {
        let _ = role;
    }

    /// A session was opened anew, at once or later.
    fn session_repaired(&self, role: Role) {
        let _ = role;
    }
}

/// Nobody is told.
impl ModelObserver for () {}

/// Rows of one model and class that wait for an executor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WaitingRows {
    /// How many.
    pub rows: usize,
    /// How long the first of them have waited; zero if there are none.
    pub oldest: Duration,
}

/// What the scheduler holds at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SchedulerLoad {
    /// Interactive rows that wait.
    pub interactive: PerRole<WaitingRows>,
    /// Bulk rows that wait.
    pub bulk: PerRole<WaitingRows>,
    /// Rows that requests in flight were admitted with: what refusals are about.
    pub admitted: PerRole<usize>,
    /// Rows that may be admitted.
    pub capacity: usize,
    /// Threads that run models.
    pub executors: usize,
    /// Of those, how many have nothing to do.
    pub idle: usize,
    /// Executors whose session of that model is broken.
    pub broken: PerRole<usize>,
    /// Whether the model works.
    pub healthy: PerRole<bool>,
}
