//! Coverage: a bound at confidence 0.95 is false in at most 5% of 20,000 runs, at the worst number
//! of votes of each run.
//!
//! A failure at any number of votes counts. This is the strongest stopping rule: an adversary who
//! sees every vote, and stops when the bound looks worst, does no better.

use super::simulation::{Cache, MAX_FAILURES, RUNS, SimulatedVotes};
use crate::certificate::{
    Alpha, BoundMethod, Decision, FailureProbability, LowerBound, RadiusMethod, Sides, Sigma, SmoothedRadius,
    SmoothingPlan, Tally, UpperBound, anytime, certify, choose_sides, clopper_pearson, decide, tight_radius,
};
use std::collections::HashMap;

const VOTES: u32 = 400;

fn delta() -> FailureProbability {
    FailureProbability::new(0.05).unwrap()
}

/// The number of runs in which `bad` holds at some number of votes. Each vote is a hit with
/// probability p.
fn runs_ever(seed: u64, p: f64, bad: impl Fn(u32, u32) -> bool) -> u32 {
    let mut source = SimulatedVotes::seeded(seed);
    (0..RUNS)
        .map(|_| {
            let mut hits = 0;
            let mut ever = false;
            for t in 1..=VOTES {
                hits += u32::from(source.hit(p));
                ever |= bad(hits, t);
            }
            u32::from(ever)
        })
        .sum()
}

#[test]
fn anytime_bounds_hold_at_every_moment_at_once() {
    let lower = Cache::fill(VOTES, |s, t| anytime::lower(s, t, delta()).unwrap().value());
    let upper = Cache::fill(VOTES, |s, t| anytime::upper(s, t, delta()).unwrap().value());
    for (seed, p) in [(1, 0.05), (2, 0.5), (3, 0.9), (4, 0.99)] {
        let failures = runs_ever(seed, p, |s, t| lower.get(s, t) > p || upper.get(s, t) < p);
        assert!(failures <= MAX_FAILURES, "p = {p}: {failures}");
        // A bound that never fails is looser than necessary.
        assert!(failures >= RUNS / 400, "p = {p}: {failures}");
    }
}

#[test]
fn the_target_test_holds_at_every_moment_at_once() {
    let needed = 20.0_f64.ln();
    for (seed, p0, p) in [
        (5, 0.5, 0.5),
        (6, 0.9, 0.9),
        (7, 0.97, 0.97),
        (8, 0.9, 0.88),
        (9, 0.02, 0.02),
    ] {
        let target = UpperBound::from_value(p0).unwrap();
        let evidence = Cache::fill(VOTES, |s, t| anytime::target_log_e_value(s, t, target).unwrap());
        let accepted = runs_ever(seed, p, |s, t| evidence.get(s, t) >= needed);
        assert!(accepted <= MAX_FAILURES, "p0 = {p0}, p = {p}: {accepted}");
        if p >= p0 {
            assert!(accepted >= RUNS / 200, "p0 = {p0}: {accepted}");
        }
    }
}

/// The one-sided mixture has mean at most 1 under the hypothesis at each fixed number of votes. The
/// test computes the mean exactly.
#[test]
fn evidence_has_mean_at_most_one() {
    for p0 in [0.1, 0.5, 0.9] {
        let target = UpperBound::from_value(p0).unwrap();
        for p in [p0, p0 * 0.8] {
            for votes in [1_u32, 5, 40] {
                let mut mean = 0.0;
                let mut probability = (1.0 - p).powi(votes as i32);
                for hits in 0..=votes {
                    mean += probability
                        * anytime::target_log_e_value(hits.into(), votes.into(), target)
                            .unwrap()
                            .exp();
                    probability *= f64::from(votes - hits) / f64::from(hits + 1) * p / (1.0 - p);
                }
                assert!(mean <= 1.0 + 1e-9, "p0 = {p0}, p = {p}, {votes} votes: {mean}");
                if p >= p0 {
                    assert!(mean >= 1.0 - 1e-9, "p0 = {p0}, p = {p}, {votes} votes: {mean}");
                }
            }
        }
    }
}

/// Exact, without simulation: the probability of a false bound is a sum over the counts.
#[test]
fn clopper_pearson_keeps_its_failure_probability() {
    for votes in [1_u32, 7, 50, 200] {
        let bounds: Vec<(f64, f64)> = (0..=u64::from(votes))
            .map(|s| {
                let low = clopper_pearson::lower(s, votes.into(), delta()).unwrap().value();
                (low, clopper_pearson::upper(s, votes.into(), delta()).unwrap().value())
            })
            .collect();
        let mut worst: f64 = 0.0;
        for k in 1..400 {
            let p = f64::from(k) / 400.0;
            let (mut too_high, mut too_low) = (0.0, 0.0);
            let mut probability = (1.0 - p).powi(votes as i32);
            for (hits, &(low, high)) in (0..).zip(&bounds) {
                too_high += if low > p { probability } else { 0.0 };
                too_low += if high < p { probability } else { 0.0 };
                probability *= f64::from(votes - hits) / f64::from(hits + 1) * p / (1.0 - p);
            }
            assert!(
                too_high <= 0.05 && too_low <= 0.05,
                "{votes} votes, p = {p}: {too_high}, {too_low}"
            );
            worst = worst.max(too_high);
        }
        assert!(worst > 0.03, "{votes} votes: never false more often than {worst}");
    }
}

fn plan(sides: Sides, target_radius: Option<f64>, failure_probability: f64) -> SmoothingPlan {
    SmoothingPlan {
        alpha: Alpha::new(0.8).unwrap(),
        sigma: Sigma::new(0.5).unwrap(),
        radius_method: RadiusMethod::Tight,
        bound_method: BoundMethod::Anytime,
        failure_probability: FailureProbability::new(failure_probability).unwrap(),
        sides,
        target_radius,
        total_variation: 0.0,
    }
}

/// The radius from the class's true probabilities. No certificate may exceed it.
fn true_radius(plan: &SmoothingPlan, h: &[f64], class: usize) -> f64 {
    let other = (0..h.len()).filter(|&i| i != class).map(|i| h[i]).fold(0.0, f64::max);
    let p = LowerBound::from_value(h[class]).unwrap();
    tight_radius(plan.alpha, plan.sigma, p, UpperBound::from_value(other).unwrap())
}

#[test]
fn two_sided_radii_with_the_split_hold_at_every_look() {
    let h = [0.5, 0.17, 0.17, 0.16];
    let plan = plan(Sides::TwoSided, None, 0.05);
    let truth = true_radius(&plan, &h, 0);
    assert!(truth > 0.05, "{truth}");
    let mut source = SimulatedVotes::seeded(10);
    let mut known: HashMap<Tally, f64> = HashMap::new();
    let mut failures = 0;
    for _ in 0..RUNS {
        let mut counts = [0_u64; 4];
        let mut ever = false;
        for t in 1..=200 {
            counts[source.class(&h)] += 1;
            if t % 20 == 0 {
                let runner_up = counts[1..].iter().copied().max().unwrap();
                let tally = Tally {
                    votes: t,
                    votes_for_class: counts[0],
                    votes_for_runner_up: runner_up,
                };
                let radius = *known
                    .entry(tally)
                    .or_insert_with(|| certify(&plan, tally).unwrap().radius);
                ever |= radius > truth;
            }
        }
        failures += u32::from(ever);
    }
    assert!(failures <= MAX_FAILURES, "{failures}");
}

/// The whole procedure: selection, the choice of sides, batches, the stopping rule, and the
/// certificate, at every look.
fn false_certificates_of_the_procedure(seed: u64, h: &[f64], target: Option<f64>) -> u32 {
    let base = plan(Sides::OneSided, target, 0.05);
    let mut source = SimulatedVotes::seeded(seed);
    let mut known: HashMap<(Tally, Sides), (SmoothedRadius, Decision)> = HashMap::new();
    let mut failures = 0;
    for _ in 0..RUNS {
        let class_and_next = |counts: &[u64]| {
            let class = (0..counts.len()).max_by_key(|&i| counts[i]).unwrap();
            let next = (0..counts.len())
                .filter(|&i| i != class)
                .map(|i| counts[i])
                .max()
                .unwrap();
            (class, next)
        };
        let mut counts = vec![0_u64; h.len()];
        (0..10).for_each(|_| counts[source.class(h)] += 1);
        let (class, next) = class_and_next(&counts);
        let selection = Tally {
            votes: 10,
            votes_for_class: counts[class],
            votes_for_runner_up: next,
        };
        let sides = choose_sides(&base, selection, h.len(), 200).unwrap();
        let plan = SmoothingPlan { sides, ..base };
        let truth = true_radius(&plan, h, class);
        counts.fill(0);
        let mut best: f64 = 0.0;
        for t in 1..=200 {
            counts[source.class(h)] += 1;
            if t % 10 != 0 {
                continue;
            }
            let others = (0..h.len()).filter(|&i| i != class).map(|i| counts[i]).max().unwrap();
            let tally = Tally {
                votes: t,
                votes_for_class: counts[class],
                votes_for_runner_up: others,
            };
            let (proved, decision) = *known
                .entry((tally, sides))
                .or_insert_with(|| (certify(&plan, tally).unwrap(), decide(&plan, tally, 200).unwrap()));
            best = best.max(proved.radius);
            if decision.is_stop() {
                break;
            }
        }
        failures += u32::from(best > truth);
    }
    failures
}

#[test]
fn the_whole_procedure_keeps_its_failure_probability() {
    let truth = true_radius(&plan(Sides::OneSided, None, 0.05), &[0.8, 0.1, 0.1], 0);
    let cases: [(u64, &[f64], Option<f64>); 9] = [
        (11, &[0.8, 0.2], None),
        (12, &[0.8, 0.1, 0.1], None),
        // A target just above the true radius, so that each acceptance is false.
        (13, &[0.8, 0.1, 0.1], Some(truth * 1.0001)),
        (14, &[0.5, 0.25, 0.25], None),
        (15, &[0.4, 0.35, 0.25], Some(0.05)),
        (16, &[0.97, 0.03], Some(0.3)),
        // Targets that no votes prove here: the loop gives them up and goes on.
        (18, &[0.8, 0.1, 0.1], Some(truth * 3.0)),
        (19, &[0.75, 0.25], Some(1.0)),
        (20, &[0.5, 0.25, 0.25], Some(1.0)),
    ];
    for (seed, h, target) in cases {
        let failures = false_certificates_of_the_procedure(seed, h, target);
        assert!(failures <= MAX_FAILURES, "{h:?}, target {target:?}: {failures}");
    }
}
