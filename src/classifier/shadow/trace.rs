//! The moments at which the votes of one input were looked at.

use crate::certificate::Tally;
use crate::classifier::ballot::Ballot;
use crate::classifier::smoothed::log_shares;

/// Looks that are kept, at most; of more, every second, every fourth, and so on, and the last.
const MOST_LOOKS: usize = 128;

/// The votes of one input as a vote loop saw them.
#[derive(Debug, Default)]
pub(in crate::classifier) struct Trace {
    /// The estimation votes at each look, in their order.
    looks: Vec<Tally>,
    seen: usize,
    thinned: u32,
    chosen: Option<Chosen>,
    /// `ln h` of all votes.
    log_shares: Vec<f64>,
}

/// What the selection votes say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chosen {
    pub(super) class: usize,
    pub(super) selection: Tally,
}

impl Trace {
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
    pub(in crate::classifier) fn end(&mut self, ballot: &Ballot) {
        self.log_shares = log_shares(ballot);
        let Some(class) = ballot.class() else { return };
        self.chosen = Some(Chosen {
            class,
            selection: ballot.selection_tally(class),
        });
        let last = ballot.tally(class);
        if last.votes > 0 && self.looks.last() != Some(&last) {
            self.looks.push(last);
        }
    }

    pub(super) fn looks(&self) -> &[Tally] {
        &self.looks
    }

    pub(super) fn chosen(&self) -> Option<Chosen> {
        self.chosen
    }

    pub(super) fn log_shares(&self) -> &[f64] {
        &self.log_shares
    }

    pub(super) fn size(&self) -> usize {
        3 * self.looks.len() + self.log_shares.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_looks_are_thinned_and_the_last_is_kept() {
        let mut trace = Trace::default();
        let mut ballot = Ballot::new(2, 1);
        ballot.cast(Some(1));
        for _ in 0..10_001 {
            ballot.cast(Some(1));
            trace.look(ballot.tally(1));
        }
        trace.end(&ballot);
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
        let mut trace = Trace::default();
        let mut ballot = Ballot::new(2, 0);
        for _ in 0..100 {
            ballot.cast(Some(0));
            trace.look(ballot.tally(0));
        }
        trace.end(&ballot);
        assert_eq!(trace.looks().len(), 100);
        assert_eq!(trace.chosen().map(|chosen| chosen.class), Some(0));
    }
}
