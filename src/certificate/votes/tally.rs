//! Votes, counted.

use crate::certificate::error::CertificateError;
use crate::certificate::numerics::hit_counts::MAX_VOTES;

/// The votes of one phase, selection or estimation, in the order of their counter up to some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Tally {
    /// All votes drawn, those of NaN rows included, which are for nobody.
    pub votes: u64,
    /// Votes for the class that the selection votes chose.
    pub votes_for_class: u64,
    /// The largest count among all other classes, in these same votes.
    pub votes_for_runner_up: u64,
}

impl Tally {
    /// Checks that the counts fit together.
    ///
    /// # Errors
    /// [`CertificateError::Tally`] if they do not, or above [`MAX_VOTES`].
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
