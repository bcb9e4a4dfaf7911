//! The rows that a request needs of each model, for admission by the scheduler.

use super::smoothing::concurrency::MAX_CONCURRENT_INPUTS;
use super::smoothing::vote_chunking::VoteChunking;
use crate::domain::PerRole;
use crate::scheduler::Demand;

/// Returns the demand of a request of `inputs` inputs that runs one row of each model for each
/// input.
pub(super) fn one_row_demand(inputs: usize) -> Demand {
    let rows = u64::try_from(inputs).unwrap_or(u64::MAX);
    let rows = PerRole {
        standard: rows,
        robust: rows,
    };
    Demand {
        outstanding: PerRole {
            standard: inputs,
            robust: inputs,
        },
        expected: rows,
        needed: rows,
    }
}

/// Returns the demand of a request of `inputs` inputs that draws votes of the robust model.
///
/// Each input draws `selection_votes` selection votes. It is expected to draw `expected_votes`
/// votes in total, and needs at least one estimation vote.
pub(super) fn vote_demand(
    inputs: usize,
    selection_votes: u64,
    expected_votes: u64,
    vote_chunking: VoteChunking,
) -> Demand {
    let count = u64::try_from(inputs).unwrap_or(u64::MAX);
    let needed_votes = selection_votes + 1;
    Demand {
        outstanding: PerRole {
            standard: inputs,
            robust: inputs.min(MAX_CONCURRENT_INPUTS) * vote_chunking.outstanding_votes(),
        },
        expected: PerRole {
            standard: count,
            robust: count.saturating_mul(expected_votes.max(needed_votes)),
        },
        needed: PerRole {
            standard: count,
            robust: count.saturating_mul(needed_votes),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_request_for_votes_needs_the_selection_and_one_estimation_vote() {
        let chunking = VoteChunking::new(8, Duration::from_micros(100), 2, 1000);
        let demand = vote_demand(3, 10, 5, chunking);
        assert_eq!((demand.needed.standard, demand.needed.robust), (3, 3 * 11));
        // A forecast below the needed votes is raised to them.
        assert_eq!(demand.expected, demand.needed);
        assert_eq!(vote_demand(3, 10, 40, chunking).expected.robust, 3 * 40);
    }

    #[test]
    fn the_outstanding_votes_are_bounded_by_the_concurrent_inputs() {
        let chunking = VoteChunking::new(8, Duration::from_micros(100), 2, 1000);
        let outstanding = |inputs| vote_demand(inputs, 10, 40, chunking).outstanding;
        assert_eq!(outstanding(2).robust, 2 * chunking.outstanding_votes());
        assert_eq!(
            outstanding(100).robust,
            MAX_CONCURRENT_INPUTS * chunking.outstanding_votes()
        );
        assert_eq!(outstanding(100).standard, 100);
    }
}
