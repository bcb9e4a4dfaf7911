//! Both models: how they are loaded, tested, described and kept ready.

pub(in crate::classifier) mod engine;
mod engine_config;
mod engine_loading;
mod executor_count;
mod load_error;
mod loaded_models;
mod manifest_check;
mod message_limits_check;
mod model_error;
mod model_sessions;
mod model_summary;
mod offline_check;
mod output_worker;
mod self_test_inputs;
pub(in crate::classifier) mod served_model;
mod serving_mode;
mod settings_check;

pub use engine::Engine;
pub use engine_config::EngineConfig;
pub use load_error::LoadError;
pub use loaded_models::LoadChecks;
pub use model_error::ModelError;
pub use model_summary::ModelSummary;
pub use offline_check::{OfflineCheck, check_offline};
pub use output_worker::{DrawnVotes, OutputConditions, OutputError, OutputWorker};
