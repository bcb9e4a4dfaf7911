//! How long everything takes.

use std::time::Duration;

/// A full run is about 20 minutes, a quick one about 3.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Rounds of each comparison: each measures both sides, one after the other.
    pub rounds: usize,
    /// Of one side in one round.
    pub window: Duration,
    /// Before each window of a server: connections, caches.
    pub warm_up: Duration,
    /// Of a window in which latencies at a low rate are collected.
    pub long_window: Duration,
    /// Rounds of case e, whose requests take long.
    pub vote_rounds: usize,
    pub vote_budget: u64,
    pub soak: Duration,
    pub soak_step: Duration,
    /// What the soak's slope leaves out.
    pub soak_start: Duration,
}

impl Plan {
    pub const FULL: Self = Self {
        rounds: 5,
        window: Duration::from_secs(3),
        warm_up: Duration::from_millis(300),
        long_window: Duration::from_secs(8),
        vote_rounds: 3,
        vote_budget: 20_000,
        soak: Duration::from_secs(600),
        soak_step: Duration::from_secs(5),
        soak_start: Duration::from_secs(60),
    };
    pub const QUICK: Self = Self {
        rounds: 3,
        window: Duration::from_secs(1),
        warm_up: Duration::from_millis(200),
        long_window: Duration::from_secs(3),
        vote_rounds: 2,
        vote_budget: 2000,
        soak: Duration::from_secs(20),
        soak_step: Duration::from_secs(1),
        soak_start: Duration::from_secs(5),
    };
}
