//! The votes that each division of the failure probability costs, as `docs/concepts/certificates.md`
//! states them.

use super::examples::{plan, tally};
use crate::certificate::*;

/// The plan of the bundled smoothed model: sigma 0.25, alpha 0.76, d = 1e-6.
fn bundled() -> SmoothingPlan {
    SmoothingPlan {
        sigma: Sigma::new(0.25).unwrap(),
        failure_probability: FailureProbability::new(1e-6).unwrap(),
        target_radius: Some(36.0 / 255.0),
        ..plan()
    }
}

/// The fewest unanimous votes that prove the plan's target.
fn unanimous_votes(plan: &SmoothingPlan) -> u64 {
    let proves = |votes: &u64| certify(plan, tally(*votes, 0, *votes)).unwrap().target_accepted;
    (1..1000).find(proves).unwrap()
}

/// The same target test with all of d: half of twice d.
fn whole_for_the_test() -> SmoothingPlan {
    SmoothingPlan {
        failure_probability: FailureProbability::new(2e-6).unwrap(),
        ..bundled()
    }
}

#[test]
fn half_of_d_for_the_test_costs_four_votes() {
    assert_eq!(unanimous_votes(&bundled()), 89);
    assert_eq!(unanimous_votes(&whole_for_the_test()), 85);
}

/// No test at level d accepts before `p0^t <= d`, because unanimous votes have that probability at
/// p0.
#[test]
fn no_valid_test_needs_fewer_than_the_floor() {
    let p0 = target_probability(&bundled()).unwrap().value();
    let floor = (1e-6_f64.ln() / p0.ln()).ceil();
    assert_eq!(floor, 77.0);
}

/// Without its half of d the bound proves nothing for an input that misses the target, so the rest
/// of such an input's votes would be lost.
#[test]
fn the_bound_certifies_inputs_that_miss_the_target() {
    let missed = certify(&bundled(), tally(800, 0, 1000)).unwrap();
    assert!(!missed.target_accepted);
    assert!(missed.radius > 0.0, "the bound at d/2 proves {}", missed.radius);
}
