//! The config in force, and the change that is pending.

use std::time::SystemTime;

use crate::domain::Violations;
use crate::settings::Settings;

/// The state of the configuration, as GetModelInfo reports it.
#[derive(Debug, Clone)]
pub struct ConfigStatus {
    /// SHA-256 of the settings file that is in force, hexadecimal.
    pub file_sha256: String,
    /// When it came into force.
    pub since: SystemTime,
    /// The alpha of the settings file. A ramp may not have reached it yet.
    pub target_alpha: f64,
    /// The `fallback_alpha` of the settings file. A ramp may not have reached it yet.
    pub target_fallback_alpha: f64,
    /// Changes that came into force since the process started.
    pub reloads: u64,
    /// Changes that were rejected since the process started.
    pub failed_reloads: u64,
    /// Why the files as they are now are not in force; `None` if they are. TLS and tokens are not
    /// part of it.
    pub pending: Option<PendingError>,
    /// The keys that the settings file sets and a variable overrides, each with its variable.
    pub overridden: Vec<(String, String)>,
    /// TLS and tokens, which are reloaded on their own.
    pub access: AccessStatus,
}

/// The state of TLS and tokens.
#[derive(Debug, Clone, Default)]
pub struct AccessStatus {
    /// Changes that came into force since the process started.
    pub reloads: u64,
    /// Changes that were rejected since the process started.
    pub failed_reloads: u64,
    /// Why the files as they are now are not in force; `None` if they are.
    pub pending: Option<PendingError>,
}

/// A rejected change.
#[derive(Debug, Clone)]
pub struct PendingError {
    /// SHA-256 of the rejected settings file, hexadecimal; empty if the file could not be read.
    pub file_sha256: String,
    /// When the reloader detected it.
    pub since: SystemTime,
    /// Every violation in it.
    pub violations: Violations,
}

impl ConfigStatus {
    pub(super) fn starting(settings: &Settings) -> Self {
        Self {
            file_sha256: settings.file_sha256.clone(),
            since: wall_clock(),
            target_alpha: settings.mixture.weights.alpha().get(),
            target_fallback_alpha: settings.mixture.weights.fallback_alpha().get(),
            reloads: 0,
            failed_reloads: 0,
            pending: None,
            overridden: settings
                .overridden
                .iter()
                .map(|(key, value)| (key.clone(), value.variable.clone()))
                .collect(),
            access: AccessStatus::default(),
        }
    }

    /// Whether a file holds a change that is not in force, so that a restart would fail.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.pending.is_some() || self.access.pending.is_some()
    }

    /// After TLS or tokens have come into force.
    pub(super) fn access_reloaded(&self) -> Self {
        let mut next = self.clone();
        next.access.reloads += 1;
        next
    }

    /// With `violations` of the TLS files and the tokens, in the settings file with this SHA-256.
    /// None of them means that the files are in force.
    pub(super) fn access_checked(&self, file_sha256: String, violations: Violations) -> Self {
        let mut next = self.clone();
        let is_rejected = !violations.0.is_empty();
        next.access.failed_reloads += u64::from(is_rejected);
        next.access.pending = is_rejected.then(|| PendingError {
            file_sha256,
            since: wall_clock(),
            violations,
        });
        next
    }

    /// After `settings` have come into force. `is_change` is whether anything differs from before.
    pub(super) fn reloaded(&self, settings: &Settings, is_change: bool) -> Self {
        Self {
            reloads: self.reloads + u64::from(is_change),
            failed_reloads: self.failed_reloads,
            access: self.access.clone(),
            ..Self::starting(settings)
        }
    }

    /// After a change was rejected.
    pub(super) fn rejected(&self, file_sha256: String, violations: Violations) -> Self {
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

/// A date for people. Nothing is timed by it.
#[expect(
    clippy::disallowed_methods,
    reason = "an operator wants to know the date of a change"
)]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}
