//! The length and the number of the measurements.

use std::time::Duration;

/// A full run takes about 20 minutes, a quick run about 3.
#[derive(Debug, Clone, Copy)]
pub struct RunPlan {
    /// Rounds of each comparison. A round measures both sides, one after the other.
    pub rounds: usize,
    /// The length of the measurement of one side in one round.
    pub window: Duration,
    /// The time before each window of a server, for connections and caches.
    pub warm_up: Duration,
    /// The length of a window that collects latencies at a low rate.
    pub long_window: Duration,
    /// Rounds of case e, whose requests take long.
    pub vote_rounds: usize,
    /// Votes of a request of case e.
    pub vote_budget: u64,
    /// The length of the soak test of case g.
    pub soak: Duration,
    /// The interval between two samples of the soak test.
    pub soak_interval: Duration,
    /// The start of the soak test, which the slope leaves out.
    pub soak_warm_up: Duration,
}

impl RunPlan {
    pub const FULL: Self = Self {
        rounds: 5,
        window: Duration::from_secs(3),
        warm_up: Duration::from_millis(300),
        long_window: Duration::from_secs(8),
        vote_rounds: 3,
        vote_budget: 20_000,
        soak: Duration::from_secs(600),
        soak_interval: Duration::from_secs(5),
        soak_warm_up: Duration::from_secs(60),
    };
    pub const QUICK: Self = Self {
        rounds: 3,
        window: Duration::from_secs(1),
        warm_up: Duration::from_millis(200),
        long_window: Duration::from_secs(3),
        vote_rounds: 2,
        vote_budget: 2000,
        soak: Duration::from_secs(20),
        soak_interval: Duration::from_secs(1),
        soak_warm_up: Duration::from_secs(5),
    };
}
