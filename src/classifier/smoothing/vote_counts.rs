//! Votes, counted in the order of their counter: the first ones choose the class and are dropped, the rest estimate.

use crate::certificate::Tally;

/// The votes of one input so far.
#[derive(Debug, Clone)]
pub(in crate::classifier) struct VoteCounts {
    selection_votes: u64,
    drawn: u64,
    selection: Vec<u64>,
    estimation: Vec<u64>,
}

impl VoteCounts {
    pub(in crate::classifier) fn new(classes: usize, selection_votes: u64) -> Self {
        Self {
            selection_votes,
            drawn: 0,
            selection: vec![0; classes],
            estimation: vec![0; classes],
        }
    }

    /// Counts the next vote; `None` is a vote for no class, as a row with a NaN casts.
    pub(in crate::classifier) fn cast(&mut self, vote: Option<usize>) {
        let counts = if self.drawn < self.selection_votes {
            &mut self.selection
        } else {
            &mut self.estimation
        };
        if let Some(count) = vote.and_then(|class| counts.get_mut(class)) {
            *count += 1;
        }
        self.drawn += 1;
    }

    /// Votes counted, of both kinds.
    pub(in crate::classifier) fn drawn(&self) -> u64 {
        self.drawn
    }

    /// Estimation votes counted.
    pub(in crate::classifier) fn estimation_votes(&self) -> u64 {
        self.drawn.saturating_sub(self.selection_votes)
    }

    /// The class that the selection votes chose, once all are in: the most frequent, the first of equals.
    pub(in crate::classifier) fn class(&self) -> Option<usize> {
        (self.drawn >= self.selection_votes).then(|| most_frequent(&self.selection))
    }

    /// The selection votes, seen from `class`.
    pub(in crate::classifier) fn selection_tally(&self, class: usize) -> Tally {
        tally(&self.selection, class, self.drawn.min(self.selection_votes))
    }

    /// The estimation votes, seen from `class`.
    pub(in crate::classifier) fn tally(&self, class: usize) -> Tally {
        tally(&self.estimation, class, self.estimation_votes())
    }

    /// The share of each class: of the estimation votes, or of the selection votes while there are no others.
    pub(in crate::classifier) fn shares(&self) -> Vec<f64> {
        let (counts, votes) = match self.estimation_votes() {
            0 => (&self.selection, self.drawn),
            votes => (&self.estimation, votes),
        };
        #[expect(clippy::cast_precision_loss, reason = "votes stay far below 2^53")]
        counts.iter().map(|&count| count as f64 / votes.max(1) as f64).collect()
    }
}

fn tally(counts: &[u64], class: usize, votes: u64) -> Tally {
    let others = counts
        .iter()
        .enumerate()
        .filter(|(other, _)| *other != class)
        .map(|(_, &count)| count);
    Tally {
        votes,
        votes_for_class: counts.get(class).copied().unwrap_or(0),
        votes_for_runner_up: others.max().unwrap_or(0),
    }
}

fn most_frequent(counts: &[u64]) -> usize {
    let mut best = 0;
    for (class, count) in counts.iter().enumerate() {
        if *count > counts[best] {
            best = class;
        }
    }
    best
}

/// The vote of one row of logits: its first largest; none if any is NaN.
pub(in crate::classifier) fn vote(logits: &[f32]) -> Option<usize> {
    let mut best: Option<(usize, f32)> = None;
    for (class, &logit) in logits.iter().enumerate() {
        if logit.is_nan() {
            return None;
        }
        if best.is_none_or(|(_, largest)| logit > largest) {
            best = Some((class, logit));
        }
    }
    best.map(|(class, _)| class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selection_votes_choose_and_are_dropped() {
        let mut vote_counts = VoteCounts::new(3, 3);
        for class in [2, 2, 0] {
            assert_eq!(vote_counts.class(), None);
            vote_counts.cast(Some(class));
        }
        assert_eq!(vote_counts.class(), Some(2));
        assert_eq!(vote_counts.tally(2), Tally::default());
        for vote in [Some(0), Some(2), None, Some(0), Some(1)] {
            vote_counts.cast(vote);
        }
        // The class stays the one that was selected, though another leads now.
        assert_eq!(vote_counts.class(), Some(2));
        assert_eq!(
            vote_counts.tally(2),
            Tally {
                votes: 5,
                votes_for_class: 1,
                votes_for_runner_up: 2
            }
        );
        assert_eq!(vote_counts.shares(), [0.4, 0.2, 0.2]);
    }

    #[test]
    fn a_nan_row_votes_for_nobody() {
        assert_eq!(vote(&[1.0, f32::NAN, 3.0]), None);
        assert_eq!(vote(&[1.0, 3.0, 3.0]), Some(1));
        assert_eq!(vote(&[f32::NEG_INFINITY, f32::NEG_INFINITY]), Some(0));
        assert_eq!(vote(&[0.0, f32::INFINITY]), Some(1));
    }
}
