//! How many inputs of one request draw votes at the same time.

use crate::settings::Settings;

/// The most inputs of one request whose votes are drawn at the same time.
pub(in crate::classifier) const MAX_CONCURRENT_INPUTS: usize = 4;

/// Returns the most inputs of one request that draw votes at the same time under `settings`.
pub(in crate::classifier) fn max_concurrent_inputs(settings: &Settings) -> usize {
    MAX_CONCURRENT_INPUTS.min(settings.server.max_inputs).max(1)
}
