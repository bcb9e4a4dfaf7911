//! Records the tallies at which the vote loop evaluated the votes of one input.

use super::vote_counts::VoteCounts;
use crate::certificate::Tally;

/// The most tallies that a trace keeps. A trace of more evaluations keeps every second tally, then
/// every fourth, and so on, and always the last one.
const MAX_TALLIES: usize = 128;

/// The votes of one input, as the vote loop evaluated them.
#[derive(Debug)]
pub(in crate::classifier) struct VoteTrace {
    /// The estimation votes at each kept evaluation, in order.
    tallies: Vec<Tally>,
    /// The number of evaluations, including those that the trace dropped.
    evaluations: usize,
    /// The trace keeps one of `2^thinning` evaluations.
    thinning: u32,
    selection: Option<SelectedClass>,
    /// All votes.
    counts: VoteCounts,
}

/// The result of the selection votes.
#[derive(Debug, Clone, Copy)]
pub(in crate::classifier) struct SelectedClass {
    /// The class that the votes chose.
    pub(in crate::classifier) class: usize,
    /// The selection votes for that class.
    pub(in crate::classifier) tally: Tally,
}

impl Default for VoteTrace {
    fn default() -> Self {
        Self {
            tallies: Vec::new(),
            evaluations: 0,
            thinning: 0,
            selection: None,
            counts: VoteCounts::new(0, 0),
        }
    }
}

impl VoteTrace {
    /// Records that the loop evaluates these estimation votes.
    pub(super) fn record(&mut self, tally: Tally) {
        if self.evaluations.is_multiple_of(1 << self.thinning) {
            self.tallies.push(tally);
        }
        self.evaluations += 1;
        if self.tallies.len() == MAX_TALLIES {
            let mut index = 0;
            self.tallies.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.thinning += 1;
        }
    }

    /// Records that the loop ended with the votes in `counts`.
    pub(super) fn finish(&mut self, counts: &VoteCounts) {
        self.counts = counts.clone();
        let Some(class) = counts.selected_class() else { return };
        self.selection = Some(SelectedClass {
            class,
            tally: counts.selection_tally(class),
        });
        let last = counts.estimation_tally(class);
        if last.votes > 0 && self.tallies.last() != Some(&last) {
            self.tallies.push(last);
        }
    }

    /// The kept tallies of the estimation votes, in order. The last one counts all votes.
    pub(in crate::classifier) fn tallies(&self) -> &[Tally] {
        &self.tallies
    }

    /// The result of the selection votes; `None` if the loop ended before all were counted.
    pub(in crate::classifier) fn selection(&self) -> Option<SelectedClass> {
        self.selection
    }

    /// All votes.
    pub(in crate::classifier) fn counts(&self) -> &VoteCounts {
        &self.counts
    }

    /// The number of values that the trace holds.
    pub(in crate::classifier) fn value_count(&self) -> usize {
        3 * self.tallies.len() + 2 * self.counts.all().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_trace_is_thinned_evenly_and_keeps_the_last_tally() {
        let mut trace = VoteTrace::default();
        let mut counts = VoteCounts::new(2, 1);
        counts.add(Some(1));
        for _ in 0..10_001 {
            counts.add(Some(1));
            trace.record(counts.estimation_tally(1));
        }
        trace.finish(&counts);
        let votes: Vec<u64> = trace.tallies().iter().map(|tally| tally.votes).collect();
        assert!(
            votes.len() <= MAX_TALLIES + 1 && votes.len() > MAX_TALLIES / 2,
            "{votes:?}"
        );
        assert_eq!((votes[0], votes.last()), (1, Some(&10_001)));
        let gaps: Vec<u64> = votes.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps[..gaps.len() - 1].iter().all(|gap| *gap == gaps[0]), "{gaps:?}");
    }

    #[test]
    fn a_short_trace_keeps_every_tally_once() {
        let mut trace = VoteTrace::default();
        let mut counts = VoteCounts::new(2, 0);
        for _ in 0..100 {
            counts.add(Some(0));
            trace.record(counts.estimation_tally(0));
        }
        trace.finish(&counts);
        assert_eq!(trace.tallies().len(), 100);
        assert_eq!(trace.selection().map(|selection| selection.class), Some(0));
    }
}
