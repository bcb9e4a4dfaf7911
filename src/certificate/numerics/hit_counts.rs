//! Counts of votes as exact floats.

use crate::certificate::error::CertificateError;

/// The most votes supported: a float holds every count up to this, and half of it, exactly.
pub const MAX_VOTES: u64 = 1 << 40;

/// How many of some votes went to one class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::certificate) struct Counts {
    /// Votes for the class.
    pub(in crate::certificate) hits: f64,
    /// All other votes.
    pub(in crate::certificate) misses: f64,
}

impl Counts {
    /// Splits `votes` into `hits` and the rest.
    ///
    /// # Errors
    /// [`CertificateError::Tally`] if there are more hits than votes, or more votes than [`MAX_VOTES`].
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

    /// The same votes seen from the other side.
    pub(in crate::certificate) fn mirrored(self) -> Self {
        Self {
            hits: self.misses,
            misses: self.hits,
        }
    }
}

/// A count as a float. Exact up to 2^53, and every caller stays far below.
#[expect(clippy::cast_precision_loss, reason = "counts are at most 2^40, far below 2^53")]
fn exact(count: u64) -> f64 {
    count as f64
}
