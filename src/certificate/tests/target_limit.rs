//! The largest provable target, and the cap on the target of Predict.

use super::examples::plan;
use super::vote_rule::{rules, sequences};
use crate::certificate::*;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The limit is the border between targets that unanimous votes prove, and targets that they do
    /// not prove.
    #[test]
    fn the_largest_target_is_provable_and_a_larger_one_is_not(rule in rules()) {
        let VoteRule { plan, vote_budget, snapping_loss, .. } = rule;
        let largest = largest_target(&plan, vote_budget, snapping_loss).unwrap();
        let provable = |target| is_provable_target(&plan, vote_budget, snapping_loss, target).unwrap();
        prop_assert!(largest == 0.0 || provable(largest));
        prop_assert!(!provable(largest + 2e-9 * plan.sigma.get()));
        if !plan.alpha.can_certify() {
            prop_assert_eq!(largest, 0.0);
        }
    }

    /// No votes prove a target above the limit, whatever sides the rule chooses.
    #[test]
    fn no_votes_prove_a_target_above_the_limit(rule in rules(), sequence in sequences(), excess in 1.0001..2.0_f64) {
        let largest = largest_target(&rule.plan, rule.vote_budget, rule.snapping_loss).unwrap();
        prop_assume!(largest > 0.0);
        let rule = VoteRule {
            plan: SmoothingPlan {
                target_radius: Some(radius_to_prove(largest * excess, rule.snapping_loss)),
                bound_method: match rule.plan.bound_method {
                    BoundMethod::Anytime => BoundMethod::Anytime,
                    BoundMethod::ClopperPearson { .. } => BoundMethod::ClopperPearson { votes: rule.vote_budget },
                },
                ..rule.plan
            },
            ..rule
        };
        let mut phase = rule.select(sequence.selection_tally(rule.classes)).unwrap();
        let within_budget = sequence.recorded_tallies(rule.classes).into_iter();
        for tally in within_budget.filter(|tally| tally.votes <= rule.vote_budget) {
            prop_assert_ne!(phase.look(tally).unwrap().decision, Decision::TargetReached);
        }
    }

    #[test]
    fn the_cap_is_a_share_of_the_largest_target(rule in rules(), configured in 1e-6..10.0_f64) {
        let VoteRule { plan, vote_budget, snapping_loss, .. } = rule;
        let largest = largest_target(&plan, vote_budget, snapping_loss).unwrap();
        let capped = capped_target(&plan, vote_budget, snapping_loss, configured).unwrap();
        match capped {
            None => prop_assert_eq!(largest, 0.0),
            Some(capped) => {
                prop_assert!(capped > 0.0 && capped <= configured);
                prop_assert!(capped <= TARGET_CAP_SHARE * (largest + 2e-9 * plan.sigma.get()));
                prop_assert!(capped == configured || capped >= TARGET_CAP_SHARE * largest);
            }
        }
    }
}

/// The numbers of the bundled smoothed model: sigma 0.25, 240 votes, 36/255.
#[test]
fn a_smaller_alpha_caps_the_target() {
    let at = |alpha| SmoothingPlan {
        alpha: Alpha::new(alpha).unwrap(),
        sigma: Sigma::new(0.25).unwrap(),
        failure_probability: FailureProbability::new(1e-6).unwrap(),
        ..plan()
    };
    let target = 36.0 / 255.0;
    assert_eq!(capped_target(&at(0.76), 240, 0.0, target).unwrap(), Some(target));
    let largest = largest_target(&at(0.6), 240, 0.0).unwrap();
    assert!((0.13..0.15).contains(&largest), "{largest}");
    assert_eq!(
        capped_target(&at(0.6), 240, 0.0, target).unwrap(),
        Some(TARGET_CAP_SHARE * largest)
    );
    assert_eq!(capped_target(&at(0.5), 240, 0.0, target).unwrap(), None);
    // Ten votes prove nothing at this failure probability.
    assert_eq!(capped_target(&at(0.76), 10, 0.0, target).unwrap(), None);
    // The paper's radius has a maximum, whatever the number of votes.
    let theorem2 = SmoothingPlan {
        radius_method: RadiusMethod::Theorem2,
        ..at(0.76)
    };
    let maximum = 0.25 * normal::quantile_lower(LowerBound::from_value(0.76).unwrap());
    let largest = largest_target(&theorem2, 1 << 32, 0.0).unwrap();
    assert!(largest <= maximum && largest > 0.99 * maximum, "{largest} of {maximum}");
}

/// At the cap a sure input reaches the target although one of its votes is for another class.
#[test]
fn one_miss_does_not_miss_a_capped_target() {
    for (alpha, votes) in [(0.6, 240), (0.76, 100), (0.9, 1000)] {
        let plan = SmoothingPlan {
            alpha: Alpha::new(alpha).unwrap(),
            failure_probability: FailureProbability::new(1e-6).unwrap(),
            ..plan()
        };
        let target = capped_target(&plan, votes, 0.0, 100.0).unwrap().unwrap();
        let plan = SmoothingPlan {
            target_radius: Some(target),
            ..plan
        };
        let one_miss = Tally {
            votes,
            votes_for_class: votes - 1,
            votes_for_runner_up: 1,
        };
        assert!(certify(&plan, one_miss).unwrap().target_accepted, "{alpha} {votes}");
    }
}
