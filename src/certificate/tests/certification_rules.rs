//! Rules of certification: how the failure probability is divided, which sides have a bound, and
//! when voting stops.

use super::examples::{plan, tally};
use super::simulation::SimulatedVotes;
use crate::certificate::*;

#[test]
fn the_failure_probability_is_spent_once() {
    let (delta, tally) = (plan().failure_probability, tally(70, 20, 100));
    let of_class = |share| anytime::lower(70, 100, share).unwrap();
    let alone = probability_bounds(&plan(), tally).unwrap();
    assert_eq!(
        (alone.p_lower, alone.p_upper),
        (of_class(delta), of_class(delta).of_complement())
    );
    let tested = probability_bounds(
        &SmoothingPlan {
            target_radius: Some(0.1),
            ..plan()
        },
        tally,
    )
    .unwrap();
    assert_eq!(tested.p_lower, of_class(delta.half()));
    for target_radius in [None, Some(0.1)] {
        let two = SmoothingPlan {
            sides: Sides::TwoSided,
            target_radius,
            ..plan()
        };
        let both = probability_bounds(&two, tally).unwrap();
        assert_eq!(both.p_lower, of_class(delta.half()));
        assert_eq!(
            both.p_upper,
            anytime::upper(20, 100, delta.half())
                .unwrap()
                .stronger(both.p_lower.of_complement())
        );
    }
    let fixed = SmoothingPlan {
        bound_method: BoundMethod::ClopperPearson { votes: 100 },
        target_radius: Some(0.1),
        ..plan()
    };
    assert_eq!(
        probability_bounds(&fixed, tally).unwrap().p_lower,
        clopper_pearson::lower(70, 100, delta).unwrap()
    );
    let two = SmoothingPlan {
        sides: Sides::TwoSided,
        ..fixed
    };
    assert_eq!(
        probability_bounds(&two, tally).unwrap().p_upper,
        clopper_pearson::upper(20, 100, delta.half()).unwrap()
    );
}

#[test]
fn the_target_test_uses_half_of_the_failure_probability() {
    let target = SmoothingPlan {
        target_radius: Some(0.25),
        ..plan()
    };
    let p0 = crate::certificate::target_probability(&target).unwrap();
    let needed = 2000.0_f64.ln();
    let first = (1..200)
        .find(|&t| certify(&target, tally(t, 0, t)).unwrap().target_accepted)
        .unwrap();
    assert!(anytime::target_log_e_value(first, first, p0).unwrap() >= needed);
    assert!(anytime::target_log_e_value(first - 1, first - 1, p0).unwrap() < needed);
    let proved = certify(&target, tally(first, 0, first)).unwrap();
    assert!(proved.radius >= 0.25 && proved.radius < 0.2501);
    // The interval alone would need more votes.
    assert!(
        radius_of(
            &target,
            probability_bounds(&target, tally(first, 0, first)).unwrap().p_lower,
            UpperBound::TRIVIAL
        ) < 0.25
    );
    // Two sides and a fixed number of votes have no target test: it would be a third statement from
    // the same votes.
    let two = SmoothingPlan {
        sides: Sides::TwoSided,
        ..target
    };
    let fixed = SmoothingPlan {
        bound_method: BoundMethod::ClopperPearson { votes: 100 },
        ..target
    };
    assert!(
        target.has_target_test() && !two.has_target_test() && !fixed.has_target_test() && !plan().has_target_test()
    );
    assert!(!certify(&two, tally(first, 0, first)).unwrap().target_accepted);
}

#[test]
fn total_variation_is_deducted_from_every_bound() {
    let votes = tally(980, 10, 1000);
    for sides in [Sides::OneSided, Sides::TwoSided] {
        let exact = SmoothingPlan { sides, ..plan() };
        let off = SmoothingPlan {
            total_variation: 0.01,
            ..exact
        };
        let (exact, off) = (
            probability_bounds(&exact, votes).unwrap(),
            probability_bounds(&off, votes).unwrap(),
        );
        assert!((exact.p_lower.value() - off.p_lower.value() - 0.01).abs() < 1e-12);
        assert!((off.p_upper.value() - exact.p_upper.value() - 0.01).abs() < 1e-12);
    }
    let target = SmoothingPlan {
        target_radius: Some(0.25),
        ..plan()
    };
    // The target test has the discount too: at the vote at which it accepts without the discount,
    // it no longer accepts.
    let first = (1..200)
        .find(|&t| certify(&target, tally(t, 0, t)).unwrap().target_accepted)
        .unwrap();
    let off = SmoothingPlan {
        total_variation: 0.05,
        ..target
    };
    assert!(!certify(&off, tally(first, 0, first)).unwrap().target_accepted);
    assert!(certify(&off, tally(999, 0, 999)).unwrap().target_accepted);
}

#[test]
fn a_fixed_number_of_votes_certifies_at_that_number_only() {
    let fixed = SmoothingPlan {
        bound_method: BoundMethod::ClopperPearson { votes: 100 },
        target_radius: Some(0.1),
        ..plan()
    };
    assert_eq!(certify(&fixed, tally(99, 0, 99)).unwrap().radius, 0.0);
    assert_eq!(certify(&fixed, tally(101, 0, 101)).unwrap().radius, 0.0);
    assert!(certify(&fixed, tally(100, 0, 100)).unwrap().radius > 0.1);
    assert_eq!(decide(&fixed, tally(99, 0, 99), 50).unwrap(), Decision::Continue);
    assert_eq!(decide(&fixed, tally(100, 0, 100), 50).unwrap(), Decision::TargetReached);
    assert_eq!(decide(&fixed, tally(50, 0, 100), 50).unwrap(), Decision::VoteBudget);
}

#[test]
fn decisions_follow_the_target_and_the_budget() {
    let target = SmoothingPlan {
        target_radius: Some(0.25),
        ..plan()
    };
    assert_eq!(decide(&target, tally(0, 0, 0), 1000).unwrap(), Decision::Continue);
    assert_eq!(
        decide(&target, tally(100, 0, 100), 1000).unwrap(),
        Decision::TargetReached
    );
    // The decision `TargetReached` takes precedence over the budget.
    assert_eq!(
        decide(&target, tally(100, 0, 100), 100).unwrap(),
        Decision::TargetReached
    );
    assert_eq!(decide(&target, tally(17, 3, 20), 20).unwrap(), Decision::VoteBudget);
    // Ten votes cannot prove the target, even if all are for the class.
    assert_eq!(decide(&target, tally(0, 0, 0), 10).unwrap(), Decision::TargetOutOfReach);
    assert_eq!(
        decide(&target, tally(20, 10, 30), 45).unwrap(),
        Decision::TargetOutOfReach
    );
    // Half of many votes: every radius is very likely false, although the budget is large.
    assert_eq!(
        decide(&target, tally(500, 500, 1000), 1_000_000).unwrap(),
        Decision::TargetOutOfReach
    );
    // Here the target is very likely false, and a smaller radius is not.
    assert_eq!(
        decide(&target, tally(210, 90, 300), 1_000_000).unwrap(),
        Decision::Continue
    );
    let two = SmoothingPlan {
        sides: Sides::TwoSided,
        ..target
    };
    assert_eq!(
        decide(&two, tally(500, 500, 1000), 1_000_000).unwrap(),
        Decision::TargetOutOfReach
    );
    assert_eq!(decide(&two, tally(10, 1, 11), 1_000_000).unwrap(), Decision::Continue);
    assert_eq!(decide(&two, tally(10, 1, 11), 12).unwrap(), Decision::TargetOutOfReach);
    // The loop without a target draws the whole budget.
    assert_eq!(decide(&plan(), tally(0, 99, 99), 100).unwrap(), Decision::Continue);
    assert_eq!(decide(&plan(), tally(0, 99, 100), 100).unwrap(), Decision::VoteBudget);
}

#[test]
fn sides_follow_the_selection_votes() {
    let sides = |tally, classes| choose_sides(&plan(), tally, classes, 1000).unwrap();
    assert_eq!(sides(tally(60, 10, 100), 10), Sides::TwoSided);
    assert_eq!(sides(tally(60, 40, 100), 10), Sides::OneSided);
    // With two classes one side proves more, unless NaN rows voted for neither class.
    assert_eq!(sides(tally(90, 10, 100), 2), Sides::OneSided);
    assert_eq!(sides(tally(60, 10, 100), 2), Sides::TwoSided);
    assert_eq!(sides(tally(100, 0, 100), 10), Sides::OneSided);
    assert_eq!(sides(tally(0, 0, 0), 10), Sides::OneSided);
    // Two sides can certify a class with less than half of the votes.
    let even = SmoothingPlan {
        alpha: Alpha::new(0.9).unwrap(),
        sides: Sides::TwoSided,
        ..plan()
    };
    assert!(certify(&even, tally(450, 100, 1000)).unwrap().radius > 0.0);
}

/// The design's expected number of votes to decide whether the radius is at least 0.25.
#[test]
fn decisions_take_the_expected_number_of_votes() {
    let target = SmoothingPlan {
        target_radius: Some(0.25),
        ..plan()
    };
    for (p, least, most) in [(0.99, 40.0, 75.0), (0.9, 220.0, 420.0)] {
        let mut source = SimulatedVotes::seeded(17);
        let runs = 200;
        let mut drawn = 0.0;
        for _ in 0..runs {
            let mut votes = tally(0, 0, 0);
            let decision = loop {
                votes.votes += 1;
                votes.votes_for_class += u64::from(source.hit(p));
                let decision = decide(&target, votes, 100_000).unwrap();
                if decision != Decision::Continue {
                    break decision;
                }
            };
            assert!(p < 0.95 || decision == Decision::TargetReached);
            drawn += votes.votes as f64 / f64::from(runs);
        }
        assert!((least..most).contains(&drawn), "p = {p}: {drawn} votes");
    }
}

#[test]
fn both_radius_methods_are_supported() {
    let theorem2 = SmoothingPlan {
        radius_method: RadiusMethod::Theorem2,
        target_radius: Some(0.2),
        ..plan()
    };
    let votes = tally(100_000, 0, 100_000);
    let paper = certify(&theorem2, votes).unwrap();
    assert!(paper.target_accepted && paper.radius < 0.354, "{}", paper.radius);
    assert!(certify(&plan(), votes).unwrap().radius > 1.5);
    // The paper's radius cannot exceed sigma Phi^-1(alpha) = 0.353.
    let beyond = SmoothingPlan {
        target_radius: Some(0.36),
        ..theorem2
    };
    assert_eq!(decide(&beyond, tally(0, 0, 0), 1 << 40).unwrap(), Decision::Continue);
    assert_eq!(decide(&beyond, votes, 1 << 40).unwrap(), Decision::TargetOutOfReach);
    assert!(!certify(&beyond, votes).unwrap().target_accepted);
    let p = LowerBound::from_value(0.99).unwrap();
    assert_eq!(
        radius_of(&plan(), p, UpperBound::TRIVIAL),
        tight_radius(plan().alpha, plan().sigma, p, UpperBound::TRIVIAL)
    );
}
