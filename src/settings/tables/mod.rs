//! The tables of the settings file, one file each.

pub(super) mod access;
pub(super) mod connections;
pub(super) mod metrics;
pub(super) mod mixture;
pub(super) mod open_inference;
pub(super) mod proof_keys;
pub(super) mod traces;

pub use metrics::MetricsSettings;
pub use mixture::{MixtureSettings, TuningSettings};
pub use open_inference::OpenInferenceSettings;
pub use proof_keys::PROJECT_KEY;
pub use traces::TraceSettings;
