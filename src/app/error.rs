//! Why the server could not run.

use thiserror::Error;

use crate::classifier::LoadError;
use crate::rpc::{CredentialsError, ListenError};
use crate::telemetry::TracesError;
use crate::telemetry::metrics::MetricsError;

/// Why the server could not run.
#[derive(Debug, Error)]
pub enum AppError {
    /// The models cannot be loaded, or they do not fit the settings.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The TLS certificates or the tokens cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The TCP port cannot be opened after the models are loaded.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The descriptors of the reflection service are invalid.
    #[error("server reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The metrics cannot be served.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The traces cannot be exported.
    #[error(transparent)]
    Traces(#[from] TracesError),
    /// The server ended without a request to stop.
    #[error("the server ended: {0}")]
    Server(String),
}
