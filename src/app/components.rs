//! The components that a reload prepares beside the models: credentials and the log filter.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::live::{PrepareComponents, digest};
use crate::rpc::{Credentials, CredentialsError, Gate};
use crate::settings::{AccessSettings, Settings};
use crate::telemetry::LogHandle;

/// The time of day, which only the validity of certificates depends on.
#[expect(clippy::disallowed_methods, reason = "the one place that makes it an argument")]
pub(super) fn wall_clock() -> SystemTime {
    SystemTime::now()
}

/// Prepares the components of changed settings. `first` are the settings in force.
pub(super) fn prepare_components(logs: Option<LogHandle>, gate: Arc<Gate>, first: &Settings) -> PrepareComponents {
    let in_force = Arc::new(Mutex::new(Access::of(first)));
    Arc::new(move |settings: &Settings| {
        let next = Access::of(settings);
        let known = in_force.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Unchanged credentials are not checked again: an expired certificate must not block a change of alpha.
        let credentials = match next == known {
            true => None,
            false => {
                Some(Credentials::prepare(&settings.access, wall_clock()).map_err(CredentialsError::into_violations)?)
            }
        };
        let (logs, gate, filter) = (logs.clone(), Arc::clone(&gate), settings.log.filter.clone());
        let in_force = Arc::clone(&in_force);
        Ok(Box::new(move || {
            if let Some(credentials) = credentials {
                gate.swap(credentials);
                *in_force.lock().unwrap_or_else(PoisonError::into_inner) = next;
            }
            if let Some(Err(error)) = logs.map(|logs| logs.set_filter(&filter)) {
                tracing::error!(%error, "cannot change the log filter; the previous filter stays in force");
            }
        }))
    })
}

/// The access settings with the contents of their files.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Access {
    settings: AccessSettings,
    contents: String,
}

impl Access {
    fn of(settings: &Settings) -> Self {
        let files: Vec<_> = settings.access.files().into_iter().map(|(_, file)| file).collect();
        Self {
            settings: settings.access.clone(),
            contents: digest(&files),
        }
    }
}
