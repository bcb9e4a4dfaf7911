//! Health, reflection and GetModelInfo.

mod health;
mod model_info;
pub mod reflection;
