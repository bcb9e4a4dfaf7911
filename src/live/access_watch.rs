//! Follows the TLS files and the tokens.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::access_reload::{AccessReload, GuardRemoval, SharedAccessReloader};
use crate::domain::Violations;
use crate::settings::AccessSettings;

/// How long the reload loop waits for one check. A file system that is slower goes on alone.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a rejection that stays is logged again: what an operator has revoked is still accepted.
const REMINDER_INTERVAL: Duration = Duration::from_secs(300);

/// The state of the TLS files and the tokens.
pub(super) struct AccessWatch {
    reloader: SharedAccessReloader,
    /// The newest settings that the running server can apply. Those in force differ from them while
    /// the rest of their change is rejected.
    pub(super) wanted: AccessSettings,
    /// A check that still waits for a file system.
    running: Option<JoinHandle<AccessReload>>,
    violations: Violations,
    warnings: Violations,
    last_logged: Instant,
}

/// The news of a check.
pub(super) struct AccessNews {
    /// The keys whose credentials are new in force.
    pub(super) applied: Vec<&'static str>,
    /// Set if the violations differ from the last ones, or if they are due for another report.
    pub(super) violations: Option<Violations>,
    /// Whether the violations are those of the last report.
    pub(super) is_reminder: bool,
    /// Warnings that are new.
    pub(super) warnings: Violations,
}

impl AccessWatch {
    pub(super) fn new(reloader: SharedAccessReloader, wanted: AccessSettings) -> Self {
        Self {
            reloader,
            wanted,
            running: None,
            violations: Violations::default(),
            warnings: Violations::default(),
            last_logged: Instant::now(),
        }
    }

    /// The reloader of the credentials.
    pub(super) fn reloader(&self) -> &SharedAccessReloader {
        &self.reloader
    }

    /// Puts in force what the wanted settings and their files hold. `requested` reports violations
    /// again.
    pub(super) async fn check(&mut self, removal: GuardRemoval, requested: bool) -> AccessNews {
        let (reloader, wanted) = (Arc::clone(&self.reloader), self.wanted.clone());
        let mut running = self
            .running
            .take()
            .unwrap_or_else(|| tokio::task::spawn_blocking(move || reloader.reload(&wanted, removal)));
        let report = match tokio::time::timeout(CHECK_TIMEOUT, &mut running).await {
            Ok(Ok(report)) => report,
            Ok(Err(error)) => failed(format!("the check has failed: {error}")),
            Err(_) => {
                self.running = Some(running);
                failed("the file system does not deliver the files; the check goes on".to_owned())
            }
        };
        self.news(report, requested)
    }

    fn news(&mut self, report: AccessReload, requested: bool) -> AccessNews {
        let is_same = report.violations == self.violations;
        let is_due = !report.violations.0.is_empty() && (requested || self.last_logged.elapsed() >= REMINDER_INTERVAL);
        let warnings = report.warnings.0.iter();
        let new_warnings = warnings
            .filter(|warning| !self.warnings.0.contains(warning))
            .cloned()
            .collect();
        self.warnings = report.warnings;
        if !is_same || is_due {
            self.last_logged = Instant::now();
        }
        self.violations.clone_from(&report.violations);
        AccessNews {
            applied: report.applied,
            violations: (!is_same || is_due).then_some(report.violations),
            is_reminder: is_same && !requested,
            warnings: Violations(new_warnings),
        }
    }
}

fn failed(reason: String) -> AccessReload {
    AccessReload {
        violations: Violations::one("file", reason),
        ..AccessReload::default()
    }
}
