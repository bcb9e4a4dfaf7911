//! The counters as they are read.

use std::time::SystemTime;

use super::shadow_counts::ShadowCounts;

/// What every candidate would have answered, and what was answered.
#[derive(Debug, Clone, PartialEq)]
pub struct ShadowReport {
    /// When the counts began: with the first snapshot of these models, settings and candidates.
    pub since: SystemTime,
    /// Its revision.
    pub since_revision: String,
    /// Whether alpha is on its way (`mixture.alpha_ramp`): then the serving row is about all that served on the way so far, and it
    /// begins anew when alpha arrives.
    pub on_the_way: bool,
    /// Inputs that were answered and not judged, because there was no time for them.
    pub dropped: u64,
    /// The alpha that serves.
    pub serving: ShadowRow,
    /// Each candidate, ascending.
    pub candidates: Vec<ShadowRow>,
}

/// One alpha.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShadowRow {
    /// The weight of the robust model.
    pub alpha: f64,
    /// What it would have answered; for the serving alpha, what it did.
    pub counts: ShadowCounts,
}
