//! The report of the counters.

use std::time::SystemTime;

use super::shadow_counts::ShadowCounts;
use crate::settings::MixtureSettings;

/// The counters of the serving mixture and of every candidate.
#[derive(Debug, Clone, PartialEq)]
pub struct ShadowReport {
    /// When the counts began: with the first snapshot of these models, settings and candidates.
    pub since: SystemTime,
    /// The configuration revision of that snapshot.
    pub since_revision: String,
    /// Whether the weights are still moving to their targets (`mixture.alpha_ramp`). In that case the
    /// serving row counts all mixtures that have served so far, and the counts restart when the
    /// weights arrive.
    pub alpha_ramping: bool,
    /// Inputs that were answered but not evaluated, because there was no time.
    pub dropped: u64,
    /// The serving mixture.
    pub serving: ShadowRow,
    /// The candidates, in ascending order of alpha, `fallback_alpha` and temperature.
    pub candidates: Vec<ShadowRow>,
}

/// The counters of one mixture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShadowRow {
    /// The mixture: weights and temperature.
    pub mixture: MixtureSettings,
    /// The predictions that this mixture would give. For the serving mixture, the served
    /// predictions.
    pub counts: ShadowCounts,
}
