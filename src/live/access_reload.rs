//! The reload of TLS and tokens, which depends on nothing else: a revoked token must not wait until
//! an unrelated file is mended.

use std::sync::Arc;

use crate::domain::Violations;
use crate::settings::{AccessSettings, ConfigFile};

/// Whether a reload may remove a guard: TLS, client certificates or tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuardRemoval {
    /// A guard that the settings no longer name stays. The rest of the change is not in force.
    Deferred,
    /// The whole change is in force, so a guard that it removes goes too.
    Allowed,
}

/// The result of a reload of TLS and tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessReload {
    /// The keys of the credentials that are new in force.
    pub applied: Vec<&'static str>,
    /// Every file that cannot be used, with its key. What it held before stays in force.
    pub violations: Violations,
    /// What is in force and an operator should know.
    pub warnings: Violations,
}

/// Reads TLS files and tokens, and puts them in force.
pub trait AccessReloader: Send + Sync {
    /// Puts in force what `settings` and their files hold now. This blocks, and it changes nothing
    /// that a file leaves as it is.
    fn reload(&self, settings: &AccessSettings, removal: GuardRemoval) -> AccessReload;

    /// The files that the credentials in force were read from.
    fn files(&self) -> Vec<ConfigFile>;
}

/// A shared reloader of TLS and tokens.
pub type SharedAccessReloader = Arc<dyn AccessReloader>;
