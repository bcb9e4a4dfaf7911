//! Settings: read from defaults, a TOML file and `CERTIMIX__…` variables, then validated as a whole.
//!
//! [`load()`] reads, `reader` collects every violation with its key, and [`Settings`] is
//! what the rest of the house sees: typed, checked, and with a revision that names it.

mod access;
mod connections;
mod load;
mod log_filter;
mod metrics;
mod mixture;
mod open_inference;
mod proof_keys;
mod reader;
mod reloadable;
#[cfg(test)]
mod tests;
mod traces;
mod typed;
mod watch;

pub use load::{LoadError, Source, load, sha256};
pub use log_filter::{EXPECTED_FILTER, log_ceiling, parse_log_filter};
pub use metrics::MetricsSettings;
pub use mixture::{MixtureSettings, TuningSettings};
pub use open_inference::OpenInferenceSettings;
pub use proof_keys::PROJECT_KEY;
pub use reloadable::check_reload;
pub use traces::TraceSettings;
pub use typed::{
    AccessSettings, CertificateSettings, ConnectionSettings, LogFormat, LogSettings, ModelSettings, Provider,
    RadiusMethod, RuntimeSettings, SchedulerSettings, ServerSettings, Settings, TlsSettings,
};
pub use watch::{Hint, Watch};

/// Rows in one run that an operator may ask for.
pub const MAX_BATCH_SIZE: usize = 4096;

/// Processors to run on: those of the cgroup's quota and of the affinity mask, where they are fewer than the machine's.
#[must_use]
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
