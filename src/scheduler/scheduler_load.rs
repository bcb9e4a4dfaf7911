//! The load of a scheduler at one moment, for metrics and for clients that route by load.

use std::time::Duration;

use crate::domain::PerRole;

/// Rows of one model and priority that wait for an executor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WaitingRows {
    /// The number of rows.
    pub rows: usize,
    /// The age of the oldest of these rows; zero if there are none.
    pub oldest: Duration,
}

/// The load of a scheduler at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SchedulerLoad {
    /// Interactive rows that wait.
    pub interactive: PerRole<WaitingRows>,
    /// Bulk rows that wait.
    pub bulk: PerRole<WaitingRows>,
    /// Rows that the requests in flight were admitted with. Admission bounds them by `capacity`.
    pub admitted: PerRole<usize>,
    /// The largest number of admitted rows of one model.
    pub capacity: usize,
    /// Executor threads.
    pub executors: usize,
    /// The number of executors that would do as much if the operating system never paused one: fewer
    /// than `executors` under a smaller CPU quota.
    pub sustained_executors: f64,
    /// Executor threads that wait for work.
    pub idle: usize,
    /// Executors whose session of this model is broken.
    pub broken: PerRole<usize>,
    /// Whether the model works.
    pub healthy: PerRole<bool>,
}
