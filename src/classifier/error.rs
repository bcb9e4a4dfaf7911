//! Why a request has no answer.

use thiserror::Error;

use crate::certificate::CertificateError;
use crate::domain::Role;
use crate::scheduler::{Refusal, ScheduleError};

/// Why a request has no answer. Nothing in it is secret.
#[derive(Debug, Error)]
pub enum ClassifierError {
    /// It was not let in, and may come again.
    #[error(transparent)]
    Refused(Refusal),
    /// It was not let in, because it could not be answered in time on an idle machine either.
    #[error(transparent)]
    TooShort(Refusal),
    /// The deadline came before there was anything to answer with.
    #[error("the deadline came before the models had answered")]
    DeadlineExceeded,
    /// A model failed.
    #[error("{0}")]
    Failed(String),
    /// A model is broken for now.
    #[error("the {} model is broken; it is tried again and again", role.name())]
    Broken {
        /// Which model.
        role: Role,
    },
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
    /// The order was not checked against the mathematics: an error of this program.
    #[error("the certificate could not be computed: {0}")]
    Certificate(#[from] CertificateError),
}

impl From<Refusal> for ClassifierError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TooShort { .. } => Self::TooShort(refusal),
            Refusal::Full { .. } | Refusal::TooLate { .. } | Refusal::Crowded { .. } => Self::Refused(refusal),
        }
    }
}

impl From<ScheduleError> for ClassifierError {
    fn from(error: ScheduleError) -> Self {
        match error {
            ScheduleError::Expired => Self::DeadlineExceeded,
            ScheduleError::Failed(reason) => Self::Failed(reason),
            ScheduleError::Broken { role } => Self::Broken { role },
            ScheduleError::Stopping => Self::Stopping,
        }
    }
}
