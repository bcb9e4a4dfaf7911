//! How many rows a request will ask for.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::classifier::models::served_model::RobustInference;
use crate::classifier::{CertificationParams, MixedClassifier};
use crate::domain::{PerRole, Priority};
use crate::scheduler::Demand;

/// Inputs of one request whose votes are drawn at the same time, at most.
pub(in crate::classifier) const VOTE_LANES: usize = 4;

/// Votes that take about this long are looked at together: each look costs some 30 us, and what is drawn too much is wasted.
const CHUNK_TIME: Duration = Duration::from_millis(4);
/// More votes than this are not worth waiting for, however fast they are.
const MOST_IN_A_CHUNK: usize = 64;

/// How votes are cut into jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::classifier) struct VoteChunking {
    /// Votes of one job: whole batches.
    pub(in crate::classifier) votes: usize,
    /// Jobs that one input has outstanding: enough for every executor, and one more to come.
    pub(in crate::classifier) depth: usize,
}

impl VoteChunking {
    /// `room` bounds the rows that one input may have outstanding: two batches of it must fit.
    pub(in crate::classifier) fn new(batch: usize, row_time: Duration, executors: usize, room: usize) -> Self {
        let in_time = CHUNK_TIME.as_nanos() / row_time.as_nanos().max(1);
        let votes = usize::try_from(in_time).map_or(MOST_IN_A_CHUNK, |votes| votes.clamp(1, MOST_IN_A_CHUNK));
        let most = (room / 2 / batch * batch).max(batch);
        let votes = votes.next_multiple_of(batch).min(most);
        let depth = (executors * batch).div_ceil(votes) + 1;
        Self {
            votes,
            depth: depth.min(room / votes).max(2),
        }
    }

    /// Votes that one input may have outstanding.
    pub(in crate::classifier) fn outstanding(self) -> usize {
        self.votes * self.depth
    }
}

/// Which share of the votes it may draw a request draws, as a moving average: most stop early.
#[derive(Debug)]
pub(in crate::classifier) struct VoteForecast {
    share: Mutex<[f64; 2]>,
}

impl VoteForecast {
    /// Weight of the newest request.
    const NEWEST: f64 = 1.0 / 16.0;

    /// Before anything is known: all.
    pub(in crate::classifier) fn new() -> Self {
        Self {
            share: Mutex::new([1.0; 2]),
        }
    }

    /// Votes that a request of `class` will probably draw of `most`.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate"
    )]
    pub(in crate::classifier) fn expected(&self, priority: Priority, most: u64) -> u64 {
        let share = self.share.lock().unwrap_or_else(PoisonError::into_inner)[priority.index()];
        (most as f64 * share).ceil() as u64
    }

    /// Learns that `drawn` of `most` were drawn.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub(in crate::classifier) fn learn(&self, priority: Priority, drawn: u64, most: u64) {
        let seen = drawn.min(most) as f64 / most.max(1) as f64;
        let share = &mut self.share.lock().unwrap_or_else(PoisonError::into_inner)[priority.index()];
        *share += (seen - *share) * Self::NEWEST;
    }
}

impl MixedClassifier {
    /// Inputs of a request of `inputs` that are worked on at the same time.
    pub(in crate::classifier) fn lanes(&self, inputs: usize) -> usize {
        match self.engine.robust_kind {
            RobustInference::OneRow => inputs,
            RobustInference::Smoothed(_) => inputs.min(VOTE_LANES),
        }
    }

    /// What a request of `inputs` asks of the models.
    pub(in crate::classifier) fn demand(&self, inputs: usize, order: &CertificationParams) -> Demand {
        let count = u64::try_from(inputs).unwrap_or(u64::MAX);
        let one_each = PerRole {
            standard: count,
            robust: count,
        };
        match &self.engine.robust_kind {
            RobustInference::OneRow => Demand {
                outstanding: PerRole {
                    standard: inputs,
                    robust: inputs,
                },
                expected: one_each,
                needed: one_each,
            },
            RobustInference::Smoothed(_) => {
                let selection = self.certificate.selection_votes;
                let most = selection.saturating_add(order.vote_budget);
                let expected = self
                    .engine
                    .vote_forecast
                    .expected(order.priority, most)
                    .max(selection + 1);
                Demand {
                    outstanding: PerRole {
                        standard: inputs,
                        robust: self.lanes(inputs) * self.engine.chunks.outstanding(),
                    },
                    expected: PerRole {
                        standard: count,
                        robust: count.saturating_mul(expected),
                    },
                    needed: PerRole {
                        standard: count,
                        robust: count.saturating_mul(selection + 1),
                    },
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_whole_batches_that_keep_every_executor_busy() {
        let us = Duration::from_micros;
        // A convolution on two cores: some rows, so that looking at them costs nothing to speak of.
        assert_eq!(
            VoteChunking::new(1, us(720), 2, 768),
            VoteChunking { votes: 5, depth: 2 }
        );
        // A slow one on many: one row each, and some to come.
        assert_eq!(
            VoteChunking::new(1, us(20_000), 8, 768),
            VoteChunking { votes: 1, depth: 9 }
        );
        // A tiny one.
        assert_eq!(
            VoteChunking::new(64, us(1), 2, 768),
            VoteChunking { votes: 64, depth: 3 }
        );
        // A GPU: whole batches.
        assert_eq!(
            VoteChunking::new(512, us(10), 2, 30_000),
            VoteChunking { votes: 512, depth: 3 }
        );
        for executors in 1..20 {
            for batch in [1, 3, 16, 700] {
                let chunks = VoteChunking::new(batch, us(100), executors, usize::MAX);
                assert_eq!(chunks.votes % batch, 0);
                assert!(chunks.outstanding() >= executors * batch + chunks.votes);
            }
        }
    }

    #[test]
    fn chunks_fit_the_room() {
        for (batch, room) in [(1, 2), (1, 7), (3, 6), (5, 100), (64, 128), (64, 768)] {
            for micros in [1, 700, 100_000] {
                let chunks = VoteChunking::new(batch, Duration::from_micros(micros), 9, room);
                assert!(
                    chunks.outstanding() <= room && chunks.votes.is_multiple_of(batch),
                    "{chunks:?} of {room}"
                );
            }
        }
    }

    #[test]
    fn the_appetite_is_learnt_from_what_is_eaten() {
        let vote_forecast = VoteForecast::new();
        assert_eq!(vote_forecast.expected(Priority::Bulk, 1000), 1000);
        for _ in 0..200 {
            vote_forecast.learn(Priority::Bulk, 100, 1000);
        }
        assert!((100..110).contains(&vote_forecast.expected(Priority::Bulk, 1000)));
        assert_eq!(vote_forecast.expected(Priority::Interactive, 1000), 1000);
    }
}
