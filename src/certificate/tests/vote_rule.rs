//! Properties of the vote rule on random votes, compared with the composition of its parts.

use crate::certificate::votes::decision::decide_from;
use crate::certificate::{
    Alpha, BestLook, BoundMethod, Decision, EstimationPhase, FailureProbability, Look, Prospects, RadiusMethod, Sides,
    Sigma, SmoothingPlan, Tally, VoteRule, certify, choose_sides, radius_to_prove, served_radius,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

/// The votes of one input in order; `None` is a vote for no class.
#[derive(Debug, Clone)]
pub(super) struct VoteSequence {
    selection: Vec<Option<usize>>,
    estimation: Vec<Option<usize>>,
    /// Number of votes that arrive together and are looked at together.
    chunk: usize,
}

impl VoteSequence {
    fn class(&self, classes: usize) -> usize {
        let count = |class| self.selection.iter().filter(|&&vote| vote == Some(class)).count();
        // The last of equal counts, unlike the server: the rule does not depend on which class is
        // chosen.
        (0..classes).max_by_key(|&class| count(class)).unwrap()
    }

    pub(super) fn selection_tally(&self, classes: usize) -> Tally {
        tally(&self.selection, self.class(classes), classes)
    }

    /// The estimation votes after each chunk, as the trace of a vote loop records them.
    pub(super) fn recorded_tallies(&self, classes: usize) -> Vec<Tally> {
        let class = self.class(classes);
        let ends = (0..self.estimation.len())
            .step_by(self.chunk)
            .map(|start| self.estimation.len().min(start + self.chunk));
        ends.map(|end| tally(&self.estimation[..end], class, classes)).collect()
    }
}

fn tally(votes: &[Option<usize>], class: usize, classes: usize) -> Tally {
    let count = |class| votes.iter().filter(|&&vote| vote == Some(class)).count() as u64;
    Tally {
        votes: votes.len() as u64,
        votes_for_class: count(class),
        votes_for_runner_up: (0..classes).filter(|&other| other != class).map(count).max().unwrap(),
    }
}

/// The result that a driver reports.
#[derive(Debug, PartialEq)]
struct DriverResult {
    best: Option<BestLook>,
    sides: Sides,
    /// Estimation votes at the last look.
    votes: u64,
    decision: Decision,
}

/// Drives the rule as the vote loop does: votes arrive in chunks, and the rule looks at each chunk.
fn drive_live(rule: VoteRule, sequence: &VoteSequence) -> DriverResult {
    let mut arrived = sequence.selection.iter().chain(&sequence.estimation).copied();
    let (mut selection, mut estimation) = (Vec::new(), Vec::new());
    let mut phase: Option<EstimationPhase> = None;
    let mut decision = Decision::Continue;
    loop {
        let chunk: Vec<_> = arrived.by_ref().take(sequence.chunk).collect();
        if chunk.is_empty() {
            break;
        }
        for vote in chunk {
            if selection.len() < sequence.selection.len() {
                selection.push(vote);
            } else {
                estimation.push(vote);
            }
        }
        if selection.len() < sequence.selection.len() {
            continue;
        }
        let class = sequence.class(rule.classes);
        let phase = phase.get_or_insert_with(|| rule.select(tally(&selection, class, rule.classes)).unwrap());
        if estimation.is_empty() {
            continue;
        }
        decision = phase.look(tally(&estimation, class, rule.classes)).unwrap().decision;
        if decision.is_stop() {
            break;
        }
    }
    let phase = phase.unwrap();
    DriverResult {
        best: phase.best().copied(),
        sides: phase.plan().sides,
        votes: estimation.len() as u64,
        decision,
    }
}

/// Drives the rule as the evaluation of shadow candidates does: over the recorded tallies of a finished
/// loop.
fn drive_recorded(rule: VoteRule, selection: Tally, tallies: &[Tally]) -> DriverResult {
    let mut phase = rule.select(selection).unwrap();
    let (mut votes, mut decision) = (0, Decision::Continue);
    for &tally in tallies {
        (votes, decision) = (tally.votes, phase.look(tally).unwrap().decision);
        if decision.is_stop() {
            break;
        }
    }
    DriverResult {
        best: phase.best().copied(),
        sides: phase.plan().sides,
        votes,
        decision,
    }
}

/// The composition of the parts: choose the sides, certify, keep the best, and decide, which
/// certifies again.
fn reference(rule: VoteRule, selection: Tally, tallies: &[Tally]) -> DriverResult {
    let mut plan = rule.plan;
    plan.sides = choose_sides(&plan, selection, rule.classes, rule.vote_budget).unwrap();
    let mut best: Option<BestLook> = None;
    let (mut votes, mut decision) = (0, Decision::Continue);
    for &tally in tallies {
        let proven = certify(&plan, tally).unwrap();
        let served_radius = served_radius(proven.radius, rule.snapping_loss);
        if served_radius > best.map_or(0.0, |best| best.served_radius) {
            best = Some(BestLook {
                tally,
                proven,
                served_radius,
            });
        }
        let prospects = Prospects {
            plan: &plan,
            tally,
            vote_budget: rule.vote_budget,
            snapping_loss: rule.snapping_loss,
        };
        let best_radius = best.map_or(0.0, |best| best.served_radius);
        (votes, decision) = (
            tally.votes,
            decide_from(&prospects, &certify(&plan, tally).unwrap(), best_radius).unwrap(),
        );
        if decision.is_stop() {
            break;
        }
    }
    DriverResult {
        best,
        sides: plan.sides,
        votes,
        decision,
    }
}

pub(super) fn rules() -> impl Strategy<Value = VoteRule> {
    let plan = (
        prop_oneof![4 => 0.5..1.0_f64, 1 => Just(1.0), 1 => 0.0..0.5_f64],
        0.1..2.0_f64,
        any::<bool>(),
        prop::option::weighted(0.25, 1..300_u64),
        prop_oneof![Just(0.3), Just(0.001), Just(1e-9)],
        prop::option::of(0.01..1.0_f64),
        prop_oneof![Just(0.0), Just(1e-9), 0.0..0.05_f64],
    );
    let loss = prop_oneof![2 => Just(0.0), 1 => 1e-6..0.5_f64];
    (plan, any::<bool>(), 2..5_usize, 1..400_u64, loss).prop_map(
        |(plan, sides, classes, vote_budget, snapping_loss)| {
            let (alpha, sigma, theorem2, fixed_votes, delta, target_radius, total_variation) = plan;
            VoteRule {
                plan: SmoothingPlan {
                    alpha: Alpha::new(alpha).unwrap(),
                    sigma: Sigma::new(sigma).unwrap(),
                    radius_method: if theorem2 {
                        RadiusMethod::Theorem2
                    } else {
                        RadiusMethod::Tight
                    },
                    bound_method: fixed_votes
                        .map_or(BoundMethod::Anytime, |votes| BoundMethod::ClopperPearson { votes }),
                    failure_probability: FailureProbability::new(delta).unwrap(),
                    // `select` replaces the sides, so either value must give the same result.
                    sides: if sides { Sides::TwoSided } else { Sides::OneSided },
                    target_radius,
                    total_variation,
                },
                classes,
                vote_budget,
                snapping_loss,
            }
        },
    )
}

/// Votes that mostly go to one class, some to the other classes, and a few to no class.
pub(super) fn sequences() -> impl Strategy<Value = VoteSequence> {
    let vote = |share: f64| {
        (0.0..1.0_f64, 0..5_usize).prop_map(move |(u, other)| {
            if u < share {
                Some(0)
            } else if other == 4 {
                None
            } else {
                Some(other)
            }
        })
    };
    (0.3..1.0_f64, 1..60_usize).prop_flat_map(move |(share, chunk)| {
        (
            prop::collection::vec(vote(share), 0..80),
            prop::collection::vec(vote(share), 1..300),
        )
            .prop_map(move |(selection, estimation)| VoteSequence {
                selection,
                estimation,
                chunk,
            })
    })
}

proptest! {
    #[test]
    fn both_drivers_agree_with_the_composition_of_the_parts(rule in rules(), sequence in sequences()) {
        let selection = sequence.selection_tally(rule.classes);
        let tallies = sequence.recorded_tallies(rule.classes);
        let expected = reference(rule, selection, &tallies);
        prop_assert_eq!(&drive_recorded(rule, selection, &tallies), &expected);
        // If a chunk ends with the selection votes, the live loop looks at exactly the recorded
        // tallies.
        let aligned = VoteSequence {
            selection: sequence.selection[..sequence.selection.len() / sequence.chunk * sequence.chunk].to_vec(),
            ..sequence.clone()
        };
        let aligned_selection = aligned.selection_tally(rule.classes);
        let aligned_tallies = aligned.recorded_tallies(rule.classes);
        prop_assert_eq!(drive_live(rule, &aligned), reference(rule, aligned_selection, &aligned_tallies));
    }

    #[test]
    fn a_recorded_live_run_replays_to_the_same_result(rule in rules(), sequence in sequences()) {
        // A chunk may hold the last selection votes and the first estimation votes; its first look
        // is a short one.
        let first = sequence.chunk - sequence.selection.len() % sequence.chunk;
        let class = sequence.class(rule.classes);
        let total = sequence.estimation.len();
        let ends = (first..total).step_by(sequence.chunk).chain([total]);
        let tallies: Vec<Tally> = ends.map(|end| tally(&sequence.estimation[..end.min(total)], class, rule.classes)).collect();
        let recorded = drive_recorded(rule, sequence.selection_tally(rule.classes), &tallies);
        prop_assert_eq!(drive_live(rule, &sequence), recorded);
    }

    #[test]
    fn radii_never_shrink_and_the_best_look_is_reported(rule in rules(), sequence in sequences()) {
        let mut phase = rule.select(sequence.selection_tally(rule.classes)).unwrap();
        let mut looks: Vec<(Tally, Look)> = Vec::new();
        let mut before = 0.0;
        // The looks continue after a decision to stop, because later looks are sound too.
        for tally in sequence.recorded_tallies(rule.classes) {
            let look = phase.look(tally).unwrap();
            prop_assert!(phase.best_radius() >= before, "{} < {before}", phase.best_radius());
            prop_assert_eq!(look.is_best, phase.best_radius() > before);
            prop_assert!(look.served_radius <= look.proven.radius);
            prop_assert_eq!(phase.certify(tally).unwrap(), look.proven);
            before = phase.best_radius();
            looks.push((tally, look));
        }
        // The best look is the first look with the largest served radius; there is none if that
        // radius is 0.
        let largest = looks.iter().map(|(_, look)| look.served_radius).fold(0.0, f64::max);
        let first = looks.iter().find(|(_, look)| look.served_radius > 0.0 && look.served_radius >= largest);
        let expected = first.map(|&(tally, look)| BestLook {
            tally,
            proven: look.proven,
            served_radius: look.served_radius,
        });
        prop_assert_eq!(phase.best().copied(), expected);
    }

    #[test]
    fn the_sides_are_chosen_once_and_from_the_selection_votes_alone(rule in rules(), sequence in sequences()) {
        let selection = sequence.selection_tally(rule.classes);
        let chosen = choose_sides(&rule.plan, selection, rule.classes, rule.vote_budget).unwrap();
        let mut phase = rule.select(selection).unwrap();
        prop_assert_eq!(phase.plan(), &SmoothingPlan { sides: chosen, ..rule.plan });
        for tally in sequence.recorded_tallies(rule.classes) {
            phase.look(tally).unwrap();
            prop_assert_eq!(phase.plan(), &SmoothingPlan { sides: chosen, ..rule.plan });
        }
    }

    /// If the votes prove [`radius_to_prove`], the served radius is at least the caller's target.
    #[test]
    fn the_served_radius_reaches_the_target(target in 1e-9..100.0_f64, loss in prop_oneof![Just(0.0), 1e-9..10.0_f64]) {
        prop_assert!(served_radius(radius_to_prove(target, loss), loss) >= target);
        prop_assert!(radius_to_prove(target, loss) <= (target + loss) * (1.0 + 1e-14));
    }

    #[test]
    fn the_served_radius_is_proven_and_monotone(proven in 0.0..100.0_f64, less in 0.0..1.0_f64, loss in 0.0..10.0_f64) {
        prop_assert!(served_radius(proven, loss) <= (proven - loss).max(0.0));
        prop_assert!(served_radius(proven * less, loss) <= served_radius(proven, loss));
    }
}

#[test]
fn a_deduction_that_is_not_a_number_serves_nothing() {
    assert_eq!(served_radius(1.0, f64::NAN), 0.0);
    assert_eq!(served_radius(1.0, f64::INFINITY), 0.0);
}

#[test]
fn invalid_counts_are_errors_and_change_nothing() {
    let rule = VoteRule {
        plan: super::examples::plan(),
        classes: 10,
        vote_budget: 1000,
        snapping_loss: 0.0,
    };
    let wrong = super::examples::tally(5, 0, 4);
    assert!(rule.select(wrong).is_err());
    let mut phase = rule.select(super::examples::tally(60, 0, 60)).unwrap();
    phase.look(super::examples::tally(100, 0, 100)).unwrap();
    let before = phase;
    assert!(phase.look(wrong).is_err());
    assert_eq!(phase, before);
}

/// The random cases reach every decision, both choices of sides, and runs with and without a
/// certificate.
#[test]
fn random_cases_reach_every_decision() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut certified, mut two_sided, mut improved) = (0, 0, 0);
    let mut decisions = [0; 4];
    for _ in 0..600 {
        let rule = rules().new_tree(&mut runner).unwrap().current();
        let sequence = sequences().new_tree(&mut runner).unwrap().current();
        let mut phase = rule.select(sequence.selection_tally(rule.classes)).unwrap();
        two_sided += u32::from(phase.plan().sides == Sides::TwoSided);
        let mut improvements = 0;
        for tally in sequence.recorded_tallies(rule.classes) {
            let look = phase.look(tally).unwrap();
            improvements += u32::from(look.is_best);
            decisions[match look.decision {
                Decision::Continue => 0,
                Decision::TargetReached => 1,
                Decision::TargetOutOfReach => 2,
                Decision::VoteBudget => 3,
            }] += 1;
        }
        certified += u32::from(improvements > 0);
        improved += u32::from(improvements > 1);
    }
    assert!(certified > 60 && certified < 540, "{certified}");
    assert!(two_sided > 20 && improved > 30, "{two_sided} {improved}");
    assert!(decisions.iter().all(|&count| count > 100), "{decisions:?}");
}
