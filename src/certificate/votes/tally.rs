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

    /// A tally of `votes` votes with the proportions of this one, each count rounded down. Without
    /// votes to scale, both counts are 0.
    #[must_use]
    pub fn scaled_to(self, votes: u64) -> Self {
        // The quotient never exceeds `votes`, because no count exceeds the votes.
        let scaled = |count: u64| {
            (u128::from(count) * u128::from(votes))
                .checked_div(u128::from(self.votes))
                .and_then(|exact| u64::try_from(exact).ok())
                .unwrap_or(0)
        };
        Self {
            votes,
            votes_for_class: scaled(self.votes_for_class),
            votes_for_runner_up: scaled(self.votes_for_runner_up),
        }
    }

    /// This tally after further votes up to `votes` in total, all of them for the class.
    #[must_use]
    pub fn filled_up_to(self, votes: u64) -> Self {
        let more = votes.saturating_sub(self.votes);
        Self {
            votes: self.votes.saturating_add(more),
            votes_for_class: self.votes_for_class.saturating_add(more),
            ..self
        }
    }
}
