//! The plan and tallies that several tests start from.

use crate::certificate::*;

pub(super) fn plan() -> SmoothingPlan {
    SmoothingPlan {
        alpha: Alpha::new(0.76).unwrap(),
        sigma: Sigma::new(0.5).unwrap(),
        radius_method: RadiusMethod::Tight,
        bound_method: BoundMethod::Anytime,
        failure_probability: FailureProbability::new(0.001).unwrap(),
        sides: Sides::OneSided,
        target_radius: None,
        total_variation: 0.0,
    }
}

pub(super) fn tally(votes_for_class: u64, votes_for_runner_up: u64, votes: u64) -> Tally {
    Tally {
        votes,
        votes_for_class,
        votes_for_runner_up,
    }
}
