//! Errors of a recomputation.

use crate::certificate::CertificateError;

/// The reason why the records cannot be evaluated again.
#[derive(Debug, thiserror::Error)]
pub enum RecomputeError {
    /// A record does not fit the header of its file.
    #[error("input {id}: {message}")]
    Record {
        /// The input.
        id: String,
        /// What was expected, and what was found.
        message: String,
    },
    /// The header lacks a value.
    #[error("the header of the results: {0}")]
    Header(String),
    /// A radius of the grid is not positive, finite and above the one before it.
    #[error("the radii must be positive, finite and ascending, but {0} follows {1}")]
    RadiusGrid(f64, f64),
    /// The mathematics refuses a value.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// A thread of the computation ended early.
    #[error("a thread of the recomputation ended before its work was done")]
    Thread,
}
