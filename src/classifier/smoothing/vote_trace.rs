//! The moments at which the votes of one input were looked at.

use super::smoothed_prediction::log_shares;
use super::vote_counts::VoteCounts;
use crate::certificate::Tally;

/// Looks that are kept, at most; of more, every second, every fourth, and so on, and the last.
const MOST_LOOKS: usize = 128;

/// The votes of one input as a vote loop saw them.
#[derive(Debug, Default)]
pub(in crate::classifier) struct VoteTrace {
    /// The estimation votes at each look, in their order.
    looks: Vec<Tally>,
    seen: usize,
    thinned: u32,
    chosen: Option<SelectedClass>,
    /// `ln h` of all votes.
    log_shares: Vec<f64>,
}

/// What the selection votes say.
#[derive(Debug, Clone, Copy)]
pub(in crate::classifier) struct SelectedClass {
    pub(in crate::classifier) class: usize,
    pub(in crate::classifier) selection: Tally,
}

impl VoteTrace {
    /// The loop looks at these estimation votes.
    pub(in crate::classifier) fn look(&mut self, tally: Tally) {
        if self.seen.is_multiple_of(1 << self.thinned) {
            self.looks.push(tally);
        }
        self.seen += 1;
        if self.looks.len() == MOST_LOOKS {
            let mut index = 0;
            self.looks.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.thinned += 1;
        }
    }

    /// The loop has ended with these votes.
    pub(in crate::classifier) fn end(&mut self, vote_counts: &VoteCounts) {
        self.log_shares = log_shares(vote_counts);
        let Some(class) = vote_counts.class() else { return };
        self.chosen = Some(SelectedClass {
            class,
            selection: vote_counts.selection_tally(class),
        });
        let last = vote_counts.tally(class);
        if last.votes > 0 && self.looks.last() != Some(&last) {
            self.looks.push(last);
        }
    }

    pub(in crate::classifier) fn looks(&self) -> &[Tally] {
        &self.looks
    }

    pub(in crate::classifier) fn chosen(&self) -> Option<SelectedClass> {
        self.chosen
    }

    pub(in crate::classifier) fn log_shares(&self) -> &[f64] {
        &self.log_shares
    }

    pub(in crate::classifier) fn size(&self) -> usize {
        3 * self.looks.len() + self.log_shares.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_looks_are_thinned_and_the_last_is_kept() {
        let mut trace = VoteTrace::default();
        let mut vote_counts = VoteCounts::new(2, 1);
        vote_counts.cast(Some(1));
        for _ in 0..10_001 {
            vote_counts.cast(Some(1));
            trace.look(vote_counts.tally(1));
        }
        trace.end(&vote_counts);
        let votes: Vec<u64> = trace.looks().iter().map(|look| look.votes).collect();
        assert!(
            votes.len() <= MOST_LOOKS + 1 && votes.len() > MOST_LOOKS / 2,
            "{votes:?}"
        );
        assert_eq!((votes[0], votes.last()), (1, Some(&10_001)));
        let gaps: Vec<u64> = votes.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps[..gaps.len() - 1].iter().all(|gap| *gap == gaps[0]), "{gaps:?}");
    }

    #[test]
    fn few_looks_are_all_kept_and_none_twice() {
        let mut trace = VoteTrace::default();
        let mut vote_counts = VoteCounts::new(2, 0);
        for _ in 0..100 {
            vote_counts.cast(Some(0));
            trace.look(vote_counts.tally(0));
        }
        trace.end(&vote_counts);
        assert_eq!(trace.looks().len(), 100);
        assert_eq!(trace.chosen().map(|chosen| chosen.class), Some(0));
    }
}
