//! Counts of votes.

use crate::certificate::error::CertificateError;
use crate::certificate::numerics::hit_counts::MAX_VOTES;

/// The votes of one phase, selection or estimation, from its first vote on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Tally {
    /// All votes. They include NaN rows, which vote for no class.
    pub votes: u64,
    /// Votes for the class that the selection votes chose.
    pub votes_for_class: u64,
    /// The largest count of any other class, in the same votes.
    pub votes_for_runner_up: u64,
}

impl Tally {
    /// Checks that the counts are consistent.
    ///
    /// # Errors
    /// [`CertificateError::Tally`] if they are not, or above [`MAX_VOTES`].
    pub fn check(self) -> Result<(), CertificateError> {
        let named = self.votes_for_class.checked_add(self.votes_for_runner_up);
        if self.votes <= MAX_VOTES && named.is_some_and(|n| n <= self.votes) {
            Ok(())
        } else {
            Err(CertificateError::Tally {
                votes: self.votes,
                votes_for_class: self.votes_for_class,
                votes_for_runner_up: self.votes_for_runner_up,
                max: MAX_VOTES,
            })
        }
    }
}
