//! Counts votes in the order of their index: the first votes select the class and are discarded,
//! and the others estimate its probability.

use crate::certificate::Tally;

/// The votes of one input so far.
#[derive(Debug, Clone)]
pub struct VoteCounts {
    selection_votes: u64,
    drawn: u64,
    selection: Vec<u64>,
    estimation: Vec<u64>,
}

impl VoteCounts {
    /// Counts votes for `classes` classes. The first `selection_votes` choose the class.
    #[must_use]
    pub fn new(classes: usize, selection_votes: u64) -> Self {
        Self {
            selection_votes,
            drawn: 0,
            selection: vec![0; classes],
            estimation: vec![0; classes],
        }
    }

    /// Counts the next vote. A vote of `None` counts for no class: a row with a NaN casts it.
    pub fn add(&mut self, vote: Option<usize>) {
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

    /// The number of counted votes: selection votes and estimation votes.
    #[must_use]
    pub fn drawn(&self) -> u64 {
        self.drawn
    }

    /// The number of counted estimation votes.
    #[must_use]
    pub fn estimation_votes(&self) -> u64 {
        self.drawn.saturating_sub(self.selection_votes)
    }

    /// Returns the class that the selection votes chose: the most frequent class, and the first of
    /// equally frequent classes. Returns `None` until all selection votes are counted.
    #[must_use]
    pub fn selected_class(&self) -> Option<usize> {
        (self.drawn >= self.selection_votes).then(|| most_frequent(&self.selection))
    }

    /// The tally of the selection votes for `class`.
    #[must_use]
    pub fn selection_tally(&self, class: usize) -> Tally {
        tally(&self.selection, class, self.drawn.min(self.selection_votes))
    }

    /// The tally of the estimation votes for `class`.
    #[must_use]
    pub fn estimation_tally(&self, class: usize) -> Tally {
        tally(&self.estimation, class, self.estimation_votes())
    }

    /// The votes of both kinds for each class.
    #[must_use]
    pub fn all(&self) -> Vec<u64> {
        let pairs = self.selection.iter().zip(&self.estimation);
        pairs.map(|(selection, estimation)| selection + estimation).collect()
    }

    /// The share of each class in the votes of both kinds. Only a certificate must leave the
    /// selection votes out.
    #[must_use]
    pub fn shares(&self) -> Vec<f64> {
        #[expect(clippy::cast_precision_loss, reason = "votes stay far below 2^53")]
        let share = |count: u64| count as f64 / self.drawn.max(1) as f64;
        self.all().into_iter().map(share).collect()
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

/// Returns the vote of one row of logits: the first class with the largest logit. Returns `None` if
/// any logit is NaN.
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
    fn selection_votes_choose_the_class_and_are_discarded() {
        let mut counts = VoteCounts::new(3, 3);
        for class in [2, 2, 0] {
            assert_eq!(counts.selected_class(), None);
            counts.add(Some(class));
        }
        assert_eq!(counts.selected_class(), Some(2));
        assert_eq!(counts.estimation_tally(2), Tally::default());
        for vote in [Some(0), Some(2), None, Some(0), Some(1)] {
            counts.add(vote);
        }
        // The selected class stays the same, although another class now leads.
        assert_eq!(counts.selected_class(), Some(2));
        assert_eq!(
            counts.estimation_tally(2),
            Tally {
                votes: 5,
                votes_for_class: 1,
                votes_for_runner_up: 2
            }
        );
        assert_eq!(counts.all(), [3, 1, 3]);
        assert_eq!(counts.shares(), [0.375, 0.125, 0.375]);
    }

    #[test]
    fn a_row_with_nan_votes_for_no_class() {
        assert_eq!(vote(&[1.0, f32::NAN, 3.0]), None);
        assert_eq!(vote(&[1.0, 3.0, 3.0]), Some(1));
        assert_eq!(vote(&[f32::NEG_INFINITY, f32::NEG_INFINITY]), Some(0));
        assert_eq!(vote(&[0.0, f32::INFINITY]), Some(1));
    }
}
