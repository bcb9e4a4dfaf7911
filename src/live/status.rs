//! What is in force, and what was asked for.

use std::time::SystemTime;

use crate::domain::Violations;
use crate::settings::Settings;

/// The configuration as an operator wants to see it.
#[derive(Debug, Clone)]
pub struct ConfigStatus {
    /// SHA-256 of the settings file that is in force, hexadecimal.
    pub file_sha256: String,
    /// Since when.
    pub since: SystemTime,
    /// The alpha that the file asks for: the one in force, unless it is on its way there.
    pub target_alpha: f64,
    /// Changes that came into force since the start.
    pub reloads: u64,
    /// Changes that were refused since the start.
    pub failed_reloads: u64,
    /// Why what the files say now is not in force; none if it is.
    pub pending: Option<PendingError>,
}

/// A change that was refused.
#[derive(Debug, Clone)]
pub struct PendingError {
    /// SHA-256 of the settings file that was refused, hexadecimal; empty if it could not be read.
    pub file_sha256: String,
    /// When it was found.
    pub since: SystemTime,
    /// All that is wrong with it.
    pub violations: Violations,
}

impl ConfigStatus {
    pub(super) fn starting(settings: &Settings) -> Self {
        Self {
            file_sha256: settings.file_sha256.clone(),
            since: wall_clock(),
            target_alpha: settings.mixture.alpha.get(),
            reloads: 0,
            failed_reloads: 0,
            pending: None,
        }
    }

    /// After `settings` have come into force.
    pub(super) fn reloaded(&self, settings: &Settings) -> Self {
        Self {
            reloads: self.reloads + 1,
            failed_reloads: self.failed_reloads,
            ..Self::starting(settings)
        }
    }

    /// After a change was refused.
    pub(super) fn refused(&self, file_sha256: String, violations: Violations) -> Self {
        Self {
            failed_reloads: self.failed_reloads + 1,
            pending: Some(PendingError {
                file_sha256,
                since: wall_clock(),
                violations,
            }),
            ..self.clone()
        }
    }
}

/// For people to read; nothing is timed by it.
#[expect(
    clippy::disallowed_methods,
    reason = "an operator wants to know the date of a change"
)]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}
