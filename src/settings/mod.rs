//! Settings: read from defaults, a TOML file and `CERTIMIX__…` variables, then validated as a whole.
//!
//! [`load()`] reads, `reader` collects every violation with its key, and [`Settings`] is
//! what the rest of the house sees: typed, checked, and with a revision that names it.

mod all_tables;
mod file_watcher;
mod log_filter;
mod reader;
mod reload_check;
mod source;
mod tables;
#[cfg(test)]
mod tests;

pub use all_tables::{
    AccessSettings, CertificateSettings, ConnectionSettings, LogFormat, LogSettings, ModelSettings, Provider,
    RadiusMethod, RuntimeSettings, SchedulerSettings, ServerSettings, Settings, TlsSettings,
};
pub use file_watcher::{Hint, Watch};
pub use log_filter::{EXPECTED_FILTER, log_ceiling, parse_log_filter};
pub use reload_check::check_reload;
pub use source::{LoadError, Source, load, sha256};
pub use tables::{MetricsSettings, MixtureSettings, OpenInferenceSettings, PROJECT_KEY, TraceSettings, TuningSettings};

/// Rows in one run that an operator may ask for.
pub const MAX_BATCH_SIZE: usize = 4096;

/// Processors to run on: those of the cgroup's quota and of the affinity mask, where they are fewer than the machine's.
#[must_use]
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
