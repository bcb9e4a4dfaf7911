//! Settings: defaults, a TOML file and `CERTIMIX__…` variables, validated as a whole.
//!
//! Each file of [`tables`] reads one table of the settings file. It describes every key with a
//! [`SettingKey`](setting_key::SettingKey): name, meaning, and whether a running server can change
//! it. A [`Reader`](reader::Reader) takes the values, and collects every violation and every
//! description. [`load()`] returns the typed and checked [`Settings`]; [`described_keys`] returns
//! the descriptions, from which `docs/reference/settings.md` is rendered.

mod all_tables;
mod cgroup_files;
mod config_file;
mod cpu_quota;
mod file_digests;
mod file_watcher;
mod log_filter;
mod memory_limit;
mod parse_error;
mod processor_count;
mod reader;
mod reload_check;
mod setting_key;
mod source;
mod tables;
#[cfg(test)]
mod tests;
mod typed_values;
mod unread_value;
mod value_origin;
mod variable_value;

pub use all_tables::{ReadSettings, Settings, described_keys};
pub use config_file::{ConfigFileError, ConfigFileKind, read_config_file, read_config_text, trace_path};
pub use cpu_quota::{CpuQuota, cpu_quota};
pub use file_digests::{ConfigFile, FileDigests};
pub use file_watcher::{ChangeHint, FileWatcher};
pub use log_filter::{EXPECTED_FILTER, log_ceiling, parse_log_filter};
pub use memory_limit::memory_limit;
pub use parse_error::{json_error_text, toml_error_text};
pub use processor_count::processor_count;
pub use reload_check::check_reload;
pub use setting_key::{KeyDescription, KeyScope, Reloadability};
pub use source::{SettingsError, SettingsSource, environment_variables, load, sha256};
pub use tables::{
    AccessSettings, CallerIdentity, CallerSettings, CertificateSettings, ConnectionSettings, LogFormat, LogSettings,
    MAX_BATCH_SIZE, MAX_SELECTION_VOTES, MAX_VOTES, MetricsSettings, MixtureSettings, ModelSettings, OTHER_CALLERS,
    OpenInferenceSettings, PROJECT_KEY, Provider, RadiusMethod, RuntimeSettings, SchedulerSettings, ServerSettings,
    TlsSettings, TraceSettings, TuningSettings,
};
pub use value_origin::{OverriddenValue, ValueOrigin, variable_of_key};
