//! A target that is out of reach costs no certificate.

use super::simulation::SimulatedVotes;
use super::vote_rule::{rules, sequences};
use crate::certificate::*;
use proptest::prelude::*;

proptest! {
    /// The rule serves a radius exactly if the votes that it looked at prove one, with the sides and
    /// the division of the failure probability that it chose.
    #[test]
    fn a_radius_that_the_votes_prove_is_served(rule in rules(), sequence in sequences()) {
        let mut phase = rule.select(sequence.selection_tally(rule.classes)).unwrap();
        let mut largest: f64 = 0.0;
        for tally in sequence.recorded_tallies(rule.classes) {
            let proven = certify(phase.plan(), tally).unwrap();
            largest = largest.max(served_radius(proven.radius, rule.snapping_loss));
            if phase.look(tally).unwrap().decision.is_stop() {
                break;
            }
        }
        prop_assert_eq!(phase.best_radius(), largest);
    }

    /// The rule stops without a radius only where no further votes prove one, or where a loose bound
    /// excludes one. It never draws more than the budget.
    #[test]
    fn the_rule_stops_without_a_radius_only_where_none_is_within_reach(rule in rules(), sequence in sequences()) {
        let mut phase = rule.select(sequence.selection_tally(rule.classes)).unwrap();
        for tally in sequence.recorded_tallies(rule.classes) {
            let decision = phase.look(tally).unwrap().decision;
            if phase.plan().bound_method == BoundMethod::Anytime {
                prop_assert!(decision.is_stop() || tally.votes < rule.vote_budget);
            }
            if decision == Decision::TargetOutOfReach && phase.best().is_none() {
                let prospects = Prospects {
                    plan: phase.plan(),
                    tally,
                    vote_budget: rule.vote_budget,
                    snapping_loss: rule.snapping_loss,
                };
                let served = |radius| served_radius(radius, rule.snapping_loss);
                let best_case = prospects.best_case().unwrap().unwrap();
                let plausible = prospects.plausible_radius().unwrap();
                prop_assert!(served(best_case.radius) == 0.0 || served(plausible) == 0.0);
                // No path to the best case passes a look with a radius.
                for votes in tally.votes..=rule.vote_budget.max(tally.votes) {
                    let on_the_way = certify(phase.plan(), tally.filled_up_to(votes)).unwrap();
                    prop_assert!(on_the_way.radius <= best_case.radius);
                }
            }
            if decision.is_stop() {
                break;
            }
        }
    }
}

/// The result of one run: the served radius, and the estimation votes.
fn run(rule: VoteRule, sequence: &[Option<usize>], selection: usize, look_every: usize) -> (f64, u64) {
    let count = |votes: &[Option<usize>]| {
        let of = |class| votes.iter().filter(|&&vote| vote == Some(class)).count() as u64;
        Tally {
            votes: votes.len() as u64,
            votes_for_class: of(0),
            votes_for_runner_up: (1..rule.classes).map(of).max().unwrap(),
        }
    };
    let (selection, estimation) = sequence.split_at(selection);
    let mut phase = rule.select(count(selection)).unwrap();
    let budget = usize::try_from(rule.vote_budget).unwrap();
    for end in (look_every..=budget).step_by(look_every) {
        if phase.look(count(&estimation[..end])).unwrap().decision.is_stop() {
            return (phase.best_radius(), end as u64);
        }
    }
    unreachable!("the budget ends every run");
}

/// On the same votes, a target costs at most one in ten certificates, whether or not it can be
/// reached, and never more votes.
///
/// The causes of the difference are the half of the failure probability that the target test takes,
/// and the loose bound that is wrong in one of a hundred runs (two, with two sides).
#[test]
fn a_target_costs_few_certificates_and_no_votes() {
    let mut source = SimulatedVotes::seeded(21);
    for (alpha, vote_budget) in [(0.6, 240), (0.76, 240), (0.9, 240), (0.76, 1000)] {
        let rule = |target_radius| VoteRule {
            plan: SmoothingPlan {
                alpha: Alpha::new(alpha).unwrap(),
                sigma: Sigma::new(0.25).unwrap(),
                failure_probability: FailureProbability::new(1e-6).unwrap(),
                target_radius,
                ..super::examples::plan()
            },
            classes: 3,
            vote_budget,
            snapping_loss: 0.0,
        };
        let largest = largest_target(&rule(None).plan, vote_budget, 0.0).unwrap();
        let targets = [
            0.2 * largest,
            TARGET_CAP_SHARE * largest,
            0.999 * largest,
            3.0 * largest,
        ];
        let (mut without, mut with) = ((0, 0), [(0, 0); 4]);
        for input in 0..400 {
            // The robust network is between unsure and sure of the class.
            let p = 1.0 - 0.5 * f64::from(input) / 400.0;
            let h = [p, (1.0 - p) * 0.7, (1.0 - p) * 0.3];
            let total = 16 + usize::try_from(vote_budget).unwrap();
            let sequence: Vec<_> = (0..total).map(|_| Some(source.class(&h))).collect();
            let add = |sum: &mut (u32, u64), (radius, votes): (f64, u64)| {
                sum.0 += u32::from(radius > 0.0);
                sum.1 += votes;
            };
            add(&mut without, run(rule(None), &sequence, 16, 8));
            for (sum, target) in with.iter_mut().zip(targets) {
                add(sum, run(rule(Some(target)), &sequence, 16, 8));
            }
        }
        assert!(without.0 > 20, "alpha {alpha}: {without:?}");
        for (target, (certified, votes)) in targets.iter().zip(with) {
            assert!(
                f64::from(certified) >= 0.9 * f64::from(without.0),
                "alpha {alpha}, target {target}: {certified} of {} certified",
                without.0
            );
            assert!(
                votes <= without.1,
                "alpha {alpha}, target {target}: {votes} of {}",
                without.1
            );
        }
        // The run with the smallest target stops much earlier: the rule still saves votes.
        assert!(with[0].1 * 10 < without.1 * 8, "alpha {alpha}: {with:?} {without:?}");
    }
}

/// After the target is given up, the votes end when twice as many would add little.
#[test]
fn a_proven_radius_ends_the_votes_of_an_unreachable_target() {
    let plan = SmoothingPlan {
        target_radius: Some(2.0),
        ..super::examples::plan()
    };
    let mut votes = 0;
    let stopped_at = loop {
        votes += 10;
        let tally = Tally {
            votes,
            votes_for_class: votes * 9 / 10,
            votes_for_runner_up: votes / 10,
        };
        if decide(&plan, tally, 100_000).unwrap().is_stop() {
            break tally;
        }
    };
    assert!((100..5_000).contains(&stopped_at.votes), "{stopped_at:?}");
    let radius = |tally| certify(&plan, tally).unwrap().radius;
    let doubled = radius(stopped_at.scaled_to(2 * stopped_at.votes));
    assert!(radius(stopped_at) >= 0.9 * doubled, "{stopped_at:?}");
    // Near the end of the budget the comparison is with the rest of the budget.
    let near_the_end = Tally {
        votes: 200,
        votes_for_class: 180,
        votes_for_runner_up: 10,
    };
    assert_eq!(decide(&plan, near_the_end, 200_000).unwrap(), Decision::Continue);
    assert_eq!(decide(&plan, near_the_end, 210).unwrap(), Decision::TargetOutOfReach);
}
