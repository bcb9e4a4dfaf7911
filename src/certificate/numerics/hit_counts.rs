//! Counts of votes as exact floats.

use crate::certificate::error::CertificateError;

/// The largest supported number of votes. A float represents every count up to this number, and its
/// half, exactly.
pub const MAX_VOTES: u64 = 1 << 40;

/// The votes for one class and all other votes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::certificate) struct HitCounts {
    /// Votes for the class.
    pub(in crate::certificate) hits: f64,
    /// All other votes.
    pub(in crate::certificate) misses: f64,
}

impl HitCounts {
    /// Splits `votes` into `hits` and the rest.
    ///
    /// # Errors
    /// [`CertificateError::Tally`] if there are more hits than votes, or more votes than
    /// [`MAX_VOTES`].
    pub(in crate::certificate) fn new(hits: u64, votes: u64) -> Result<Self, CertificateError> {
        match votes.checked_sub(hits) {
            Some(misses) if votes <= MAX_VOTES => Ok(Self {
                hits: exact(hits),
                misses: exact(misses),
            }),
            _ => Err(CertificateError::Tally {
                votes,
                votes_for_class: hits,
                votes_for_runner_up: 0,
                max: MAX_VOTES,
            }),
        }
    }

    /// All votes.
    pub(in crate::certificate) fn votes(self) -> f64 {
        self.hits + self.misses
    }

    /// The same votes with hits and misses exchanged.
    pub(in crate::certificate) fn mirrored(self) -> Self {
        Self {
            hits: self.misses,
            misses: self.hits,
        }
    }
}

/// A count as a float, exact up to 2^53. Every caller stays far below that.
#[expect(clippy::cast_precision_loss, reason = "counts are at most 2^40, far below 2^53")]
fn exact(count: u64) -> f64 {
    count as f64
}
