//! Health, reflection and GetModelInfo.

pub mod health;
mod model_info;
pub mod reflection;
