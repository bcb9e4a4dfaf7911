//! Why a request has no answer.

use thiserror::Error;

use crate::certificate::CertificateError;
use crate::scheduler::{Full, ScheduleError};

/// Why a request has no answer. Nothing in it is secret.
#[derive(Debug, Error)]
pub enum ClassifierError {
    /// No room for its rows.
    #[error(transparent)]
    Full(#[from] Full),
    /// The deadline came before there was anything to answer with.
    #[error("the deadline came before the models had answered")]
    DeadlineExceeded,
    /// A model failed.
    #[error("{0}")]
    Failed(String),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
    /// The order was not checked against the mathematics: an error of this program.
    #[error("the certificate could not be computed: {0}")]
    Certificate(#[from] CertificateError),
}

impl From<ScheduleError> for ClassifierError {
    fn from(error: ScheduleError) -> Self {
        match error {
            ScheduleError::Full(full) => Self::Full(full),
            ScheduleError::Expired => Self::DeadlineExceeded,
            ScheduleError::Failed(reason) => Self::Failed(reason),
            ScheduleError::Stopping => Self::Stopping,
        }
    }
}
