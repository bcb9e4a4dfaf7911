//! Both models: how they are loaded, tested, described and kept ready.

pub(in crate::classifier) mod engine;
mod engine_config;
mod engine_loading;
mod load_error;
mod model_sessions;
mod model_summary;
mod self_test_inputs;
pub(in crate::classifier) mod served_model;
mod serving_mode;
mod settings_check;

pub use engine::Engine;
pub use engine_config::EngineConfig;
pub use load_error::LoadError;
pub use model_summary::ModelSummary;
