//! The components that a reload prepares beside the models: credentials and the log filter.

use std::sync::Arc;
use std::time::SystemTime;

use crate::live::PrepareComponents;
use crate::rpc::{AccessControl, CredentialsError};
use crate::settings::Settings;
use crate::telemetry::LogHandle;

/// The time of day, which only the validity of certificates depends on.
#[expect(clippy::disallowed_methods, reason = "the one place that makes it an argument")]
pub(super) fn wall_clock() -> SystemTime {
    SystemTime::now()
}

/// Returns the function that prepares the components of changed settings.
pub(super) fn prepare_components(logs: Option<LogHandle>, access: Arc<AccessControl>) -> PrepareComponents {
    Arc::new(move |settings: &Settings| {
        let credentials = access
            .prepare_reload(&settings.access, wall_clock())
            .map_err(CredentialsError::into_violations)?;
        let (logs, filter) = (logs.clone(), settings.log.filter.clone());
        Ok(Box::new(move || {
            credentials.commit();
            if let Some(Err(error)) = logs.map(|logs| logs.set_filter(&filter)) {
                tracing::error!(%error, "cannot change the log filter; the previous filter stays in force");
            }
        }))
    })
}
