//! The components that a reload changes beside the models: credentials and the log filter.

use std::sync::Arc;
use std::time::SystemTime;

use crate::live::{AccessReload, AccessReloader, GuardRemoval, SetLogFilter, SharedAccessReloader};
use crate::rpc::AccessControl;
use crate::settings::{AccessSettings, ConfigFile};
use crate::telemetry::LogHandle;

/// The time of day, which only the validity of certificates depends on.
#[expect(clippy::disallowed_methods, reason = "the one place that makes it an argument")]
pub(super) fn wall_clock() -> SystemTime {
    SystemTime::now()
}

/// The credentials, reloaded by the time of day.
struct DatedAccess(Arc<AccessControl>);

impl AccessReloader for DatedAccess {
    fn reload(&self, settings: &AccessSettings, removal: GuardRemoval) -> AccessReload {
        self.0.reload(settings, removal, wall_clock())
    }

    fn files(&self) -> Vec<ConfigFile> {
        self.0.files()
    }
}

/// The reloader of TLS and tokens.
pub(super) fn access_reloader(access: Arc<AccessControl>) -> SharedAccessReloader {
    Arc::new(DatedAccess(access))
}

/// The function that replaces the log filter.
pub(super) fn log_filter_setter(logs: Option<LogHandle>) -> SetLogFilter {
    Arc::new(move |filter: &str| {
        if let Some(Err(error)) = logs.as_ref().map(|logs| logs.set_filter(filter)) {
            tracing::error!(%error, "cannot change the log filter; the previous filter stays in force");
        }
    })
}
