//! Both models: how they are loaded, checked, tested and described.

pub(in crate::classifier) mod engine;
mod engine_config;
mod load;
mod open_sessions;
mod self_test_inputs;
pub(in crate::classifier) mod served_model;

pub use crate::classifier::classifier_info::ModelSummary;
pub use engine::Engine;
pub use engine_config::EngineConfig;
pub use load::LoadError;
