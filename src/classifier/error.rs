//! The reasons why a request has no prediction.

use thiserror::Error;

use crate::certificate::CertificateError;
use crate::domain::Role;
use crate::scheduler::{Refusal, ScheduleError};

/// The reason why a request has no prediction. It contains nothing confidential.
#[derive(Debug, Error)]
pub enum ClassifierError {
    /// The scheduler rejected the request. The caller may retry.
    #[error(transparent)]
    Refused(Refusal),
    /// The scheduler rejected the request, because the deadline is too short even for an idle
    /// server.
    #[error(transparent)]
    TooShort(Refusal),
    /// The deadline passed before there was any result.
    #[error("the deadline passed before the models returned a result")]
    DeadlineExceeded,
    /// A model failed.
    #[error("{0}")]
    Failed(String),
    /// A model is broken at the moment.
    #[error("the {} model is broken; the server keeps retrying it", role.name())]
    Broken {
        /// The broken model.
        role: Role,
    },
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
    /// The parameters were not validated against the mathematics. That is a defect of this program.
    #[error("the certificate could not be computed: {0}")]
    Certificate(#[from] CertificateError),
}

impl From<Refusal> for ClassifierError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TooShort { .. } => Self::TooShort(refusal),
            Refusal::Full { .. }
            | Refusal::ShareExhausted { .. }
            | Refusal::TooLate { .. }
            | Refusal::Crowded { .. } => Self::Refused(refusal),
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
