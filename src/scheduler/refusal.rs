//! Why admission refuses a request.

use std::time::Duration;

use thiserror::Error;

use crate::call::RefusalReason;
use crate::domain::Role;

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The request does not fit in the free capacity.
    #[error(
        "the queue is full: {admitted} of {capacity} rows of the {} model are taken, and the request needs {wanted}", role.name()
    )]
    Full {
        /// The model.
        role: Role,
        /// The admitted rows.
        admitted: usize,
        /// The capacity for the priority of the request.
        capacity: usize,
        /// The rows that the request needs.
        wanted: usize,
        /// The time that the admitted rows will take.
        retry_after: Duration,
    },
    /// The caller holds its share of the capacity, and the rest is kept for other callers.
    #[error(
        "the caller's share of the queue is exhausted: it holds {held} of {capacity} rows of the {} model, and the request \
         needs {wanted}",
        role.name()
    )]
    ShareExhausted {
        /// The model.
        role: Role,
        /// The rows that the principal of the caller holds.
        held: usize,
        /// The capacity for the priority of the request.
        capacity: usize,
        /// The rows that the request needs.
        wanted: usize,
        /// The time that the caller's admitted rows will take.
        retry_after: Duration,
    },
    /// The request would miss its deadline behind the caller's own rows and the shares of other callers.
    #[error(
        "the deadline cannot be met: it is {left:.1?} away, and these rows take about {wait:.1?} behind the caller's own \
         rows and beside other callers, plus a safety margin of a tenth"
    )]
    TooLate {
        /// The time until the deadline.
        left: Duration,
        /// The estimated time until an answer.
        wait: Duration,
        /// The longer of half that time and the time until the request would fit.
        retry_after: Duration,
    },
    /// The request would miss its deadline even on an idle machine, so a retry does not help.
    #[error("the deadline cannot be met: it is {left:.1?} away, and the rows take about {alone:.1?} by themselves")]
    TooShort {
        /// The time until the deadline.
        left: Duration,
        /// The time that its rows take on an idle machine.
        alone: Duration,
    },
    /// The request would make an admitted request miss its deadline: one of the same connection, or one
    /// of another caller while this caller has more than its share.
    #[error("the caller has its share, and the deadlines of requests that were admitted before leave no time for more")]
    Crowded {
        /// The time until the request that would be late has finished or its deadline has passed.
        retry_after: Duration,
    },
}

impl Refusal {
    /// The reason for metrics and logs.
    #[must_use]
    pub fn reason(&self) -> RefusalReason {
        match self {
            Self::Full { .. } => RefusalReason::QueueFull,
            Self::ShareExhausted { .. } => RefusalReason::ShareExhausted,
            Self::TooLate { .. } => RefusalReason::TooLate,
            Self::TooShort { .. } => RefusalReason::TooShort,
            Self::Crowded { .. } => RefusalReason::Crowded,
        }
    }

    /// The delay before a retry.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        match self {
            Self::TooShort { .. } => Duration::ZERO,
            Self::Full { retry_after, .. }
            | Self::ShareExhausted { retry_after, .. }
            | Self::TooLate { retry_after, .. }
            | Self::Crowded { retry_after } => *retry_after,
        }
    }
}
