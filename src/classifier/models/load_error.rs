//! The reasons why an engine cannot be loaded.

use std::io;

use thiserror::Error;

use crate::domain::Violations;

/// The reason why an engine cannot be loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The models cannot be served, or the settings do not fit them. Each violation includes a
    /// remedy.
    #[error("the models cannot be served with these settings:\n{0}")]
    Invalid(Violations),
    /// A thread cannot be started.
    #[error("cannot start an executor thread: {0}")]
    Thread(#[from] io::Error),
}
