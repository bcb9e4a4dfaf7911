//! The errors of evaluations. Each names the file, and the row where there is one.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// The reason why a file cannot be read or written.
#[derive(Debug, Error)]
pub enum EvaluationError {
    /// A file, and what is wrong with it.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was found, and what was expected.
        reason: String,
    },
    /// One row of a file, and what is wrong with it.
    #[error("{}, row {row}: {reason}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The row, from 0.
        row: u64,
        /// What was found, and what was expected.
        reason: String,
    },
}

impl EvaluationError {
    /// An error about a whole file.
    #[expect(clippy::needless_pass_by_value, reason = "callers pass errors that they own")]
    pub(super) fn file(path: &Path, reason: impl ToString) -> Self {
        Self::File {
            path: path.to_path_buf(),
            reason: reason.to_string(),
        }
    }

    /// An error about one row, counted from 0.
    #[expect(clippy::needless_pass_by_value, reason = "callers pass errors that they own")]
    pub(super) fn row(path: &Path, row: u64, reason: impl ToString) -> Self {
        Self::Row {
            path: path.to_path_buf(),
            row,
            reason: reason.to_string(),
        }
    }
}
