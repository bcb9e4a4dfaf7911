//! The tables of the settings file, one file each: the typed values, the keys, and their reader.

pub(super) mod access;
pub(super) mod callers;
pub(super) mod certificate;
pub(super) mod connections;
pub(super) mod log;
pub(super) mod metrics;
pub(super) mod mixture;
pub(super) mod models;
pub(super) mod open_inference;
pub(super) mod runtime;
pub(super) mod scheduler;
pub(super) mod server;
pub(super) mod shadow_candidates;
pub(super) mod traces;

pub use access::{AccessSettings, TlsSettings};
pub use callers::{CallerIdentity, CallerSettings, OTHER_CALLERS};
pub use certificate::{CertificateSettings, MAX_SELECTION_VOTES, MAX_VOTES, PROJECT_KEY, RadiusMethod};
pub use connections::ConnectionSettings;
pub use log::{LogFormat, LogSettings};
pub use metrics::MetricsSettings;
pub use mixture::{MixtureSettings, TuningSettings};
pub use models::ModelSettings;
pub use open_inference::OpenInferenceSettings;
pub use runtime::{MAX_BATCH_SIZE, Provider, RuntimeSettings};
pub use scheduler::SchedulerSettings;
pub use server::ServerSettings;
pub use traces::TraceSettings;
