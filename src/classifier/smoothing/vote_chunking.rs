//! Cuts the votes of one input into chunks, which are jobs for the scheduler.

use std::time::Duration;

/// The target duration of one chunk. The vote loop evaluates the votes after each chunk, which
/// costs about 30 us. A longer chunk draws more votes than needed before the loop can stop.
const CHUNK_TIME: Duration = Duration::from_millis(4);
/// The most votes in one chunk before rounding up to whole batches. More votes are not worth
/// waiting for, however fast they are.
const MAX_CHUNK_VOTES: usize = 64;

/// How the votes of one input are cut into jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::classifier) struct VoteChunking {
    /// Votes in one job: a whole number of batches.
    pub(in crate::classifier) chunk_votes: usize,
    /// Jobs of one input that are outstanding at the same time: enough for every executor, and one
    /// more that is ready to start.
    pub(in crate::classifier) chunks_in_flight: usize,
}

impl VoteChunking {
    /// Chooses the chunks for batches of `batch` rows that take `row_time` each on `executors`
    /// executors. `max_outstanding` bounds the rows that one input may have outstanding: it must
    /// hold two batches.
    pub(in crate::classifier) fn new(
        batch: usize,
        row_time: Duration,
        executors: usize,
        max_outstanding: usize,
    ) -> Self {
        let votes_in_time = CHUNK_TIME.as_nanos() / row_time.as_nanos().max(1);
        let votes = usize::try_from(votes_in_time).map_or(MAX_CHUNK_VOTES, |votes| votes.clamp(1, MAX_CHUNK_VOTES));
        let max_votes = (max_outstanding / 2 / batch * batch).max(batch);
        let chunk_votes = votes.next_multiple_of(batch).min(max_votes);
        let wanted = (executors * batch).div_ceil(chunk_votes) + 1;
        Self {
            chunk_votes,
            chunks_in_flight: wanted.min(max_outstanding / chunk_votes).max(2),
        }
    }

    /// Votes that one input may have outstanding at the same time.
    pub(in crate::classifier) fn outstanding_votes(self) -> usize {
        self.chunk_votes * self.chunks_in_flight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunking(chunk_votes: usize, chunks_in_flight: usize) -> VoteChunking {
        VoteChunking {
            chunk_votes,
            chunks_in_flight,
        }
    }

    #[test]
    fn chunks_are_whole_batches_that_keep_every_executor_busy() {
        let us = Duration::from_micros;
        // A convolution on two cores: several rows, so that the evaluation of a chunk costs little.
        assert_eq!(VoteChunking::new(1, us(720), 2, 768), chunking(5, 2));
        // A slow model on many cores: chunks of one row, and one more than there are executors.
        assert_eq!(VoteChunking::new(1, us(20_000), 8, 768), chunking(1, 9));
        // A tiny model.
        assert_eq!(VoteChunking::new(64, us(1), 2, 768), chunking(64, 3));
        // A GPU: whole batches.
        assert_eq!(VoteChunking::new(512, us(10), 2, 30_000), chunking(512, 3));
        for executors in 1..20 {
            for batch in [1, 3, 16, 700] {
                let chunking = VoteChunking::new(batch, us(100), executors, usize::MAX);
                assert_eq!(chunking.chunk_votes % batch, 0);
                assert!(chunking.outstanding_votes() >= executors * batch + chunking.chunk_votes);
            }
        }
    }

    #[test]
    fn chunks_fit_the_outstanding_rows() {
        for (batch, max_outstanding) in [(1, 2), (1, 7), (3, 6), (5, 100), (64, 128), (64, 768)] {
            for micros in [1, 700, 100_000] {
                let chunking = VoteChunking::new(batch, Duration::from_micros(micros), 9, max_outstanding);
                assert!(
                    chunking.outstanding_votes() <= max_outstanding && chunking.chunk_votes.is_multiple_of(batch),
                    "{chunking:?} with {max_outstanding}"
                );
            }
        }
    }
}
