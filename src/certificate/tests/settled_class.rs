//! The class of the mixture that votes settle: rarely wrong, and the same from run to run.

use super::simulation::SimulatedVotes;
use crate::certificate::*;

const RUNS: u32 = 1_000;
/// 1 % of the runs, plus five standard deviations.
const MAX_WRONG: u32 = 10 + 5 * 4;

fn log_probs(g: &[f64]) -> Vec<f64> {
    g.iter().map(|p| p.ln()).collect()
}

/// The class of the exact mixture.
fn exact_class(alpha: f64, g: &[f64], h: &[f64]) -> usize {
    let mixed: Vec<f64> = g.iter().zip(h).map(|(g, h)| (1.0 - alpha) * g + alpha * h).collect();
    argmax(&mixed).unwrap()
}

fn constant(alpha: f64) -> MixingWeights {
    MixingWeights::constant(Alpha::new(alpha).unwrap())
}

fn gated(alpha: f64, fallback_alpha: f64) -> MixingWeights {
    MixingWeights::new(Alpha::new(alpha).unwrap(), Alpha::new(fallback_alpha).unwrap()).unwrap()
}

/// For each run, the class and the votes at which it settled; `None` if it did not in `votes` votes.
fn settle(seed: u64, weights: MixingWeights, g: &[f64], h: &[f64], votes: u64) -> Vec<Option<(usize, u64)>> {
    let log_g = log_probs(g);
    let mut source = SimulatedVotes::seeded(seed);
    (0..RUNS)
        .map(|_| {
            let mut counts = vec![0; h.len()];
            (1..=votes).find_map(|drawn| {
                counts[source.class(h)] += 1;
                let settled = settled_class(weights, &log_g, &counts, drawn).unwrap();
                settled.map(|class| (class, drawn))
            })
        })
        .collect()
}

/// The first moment at which the class settles is the worst one to stop at.
#[test]
fn a_settled_class_is_that_of_the_exact_mixture() {
    let cases: [(u64, f64, [f64; 3], [f64; 3]); 4] = [
        (31, 0.76, [0.9, 0.08, 0.02], [0.3, 0.66, 0.04]),
        (32, 0.76, [0.4, 0.3, 0.3], [0.36, 0.34, 0.3]),
        (33, 0.5, [0.2, 0.7, 0.1], [0.75, 0.2, 0.05]),
        (34, 0.9, [0.1, 0.1, 0.8], [0.45, 0.4, 0.15]),
    ];
    for (seed, alpha, g, h) in cases {
        let expected = exact_class(alpha, &g, &h);
        let runs = settle(seed, constant(alpha), &g, &h, 150);
        let wrong = runs.iter().flatten().filter(|(class, _)| *class != expected).count();
        assert!(wrong <= MAX_WRONG as usize, "{alpha} {g:?} {h:?}: {wrong}");
    }
}

/// The exact gated mixture has the weight alpha where the margin of h is large enough.
#[test]
fn a_settled_class_is_that_of_the_exact_gated_mixture() {
    let cases: [(u64, MixingWeights, [f64; 3], [f64; 3]); 5] = [
        // The margin of h is above, near and below 0.316.
        (51, gated(0.76, 0.0), [0.05, 0.9, 0.05], [0.9, 0.05, 0.05]),
        (52, gated(0.76, 0.0), [0.05, 0.9, 0.05], [0.65, 0.34, 0.01]),
        (53, gated(0.76, 0.0), [0.05, 0.9, 0.05], [0.5, 0.3, 0.2]),
        (54, gated(0.9, 0.5), [0.3, 0.6, 0.1], [0.54, 0.44, 0.02]),
        (55, gated(0.76, 0.3), [0.4, 0.35, 0.25], [0.3, 0.6, 0.1]),
    ];
    for (seed, weights, g, h) in cases {
        let weight = weights.weight(weights.rule(&log_probs(&h)));
        let expected = exact_class(weight.get(), &g, &h);
        let runs = settle(seed, weights, &g, &h, 150);
        let wrong = runs.iter().flatten().filter(|(class, _)| *class != expected).count();
        assert!(wrong <= MAX_WRONG as usize, "{weights:?} {g:?} {h:?}: {wrong}");
    }
    // A margin far from what is needed settles, on either side.
    for (seed, h, expected) in [(56, [0.95, 0.03, 0.02], 0), (57, [0.4, 0.35, 0.25], 1)] {
        let runs = settle(seed, gated(0.76, 0.0), &[0.05, 0.9, 0.05], &h, 400);
        let right = runs.iter().flatten().filter(|(class, _)| *class == expected).count();
        assert!(right >= RUNS as usize * 9 / 10, "{h:?}: {right}");
    }
}

#[test]
fn clear_classes_settle_early_and_ties_do_not() {
    let votes_of_most = |runs: &[Option<(usize, u64)>]| {
        let mut votes: Vec<u64> = runs
            .iter()
            .map(|run| run.map_or(u64::MAX, |(_, votes)| votes))
            .collect();
        votes.sort_unstable();
        votes[votes.len() * 9 / 10]
    };
    // Both networks agree.
    assert!(votes_of_most(&settle(41, constant(0.76), &[0.95, 0.03, 0.02], &[0.8, 0.1, 0.1], 200)) < 25);
    // The robust network is sure, and overrules the standard one.
    assert!(
        votes_of_most(&settle(
            42,
            constant(0.76),
            &[0.03, 0.95, 0.02],
            &[0.9, 0.05, 0.05],
            200
        )) < 60
    );
    // Below 1/2 a sure standard network decides without a vote.
    let alone = settled_class(constant(0.4), &log_probs(&[0.9, 0.05, 0.05]), &[0; 3], 0).unwrap();
    assert_eq!(alone, Some(0));
    let never = settled_class(constant(0.5), &log_probs(&[0.98, 0.01, 0.01]), &[0; 3], 0).unwrap();
    assert_eq!(never, None);
    // A tie of the mixture.
    let tie = settle(43, constant(0.5), &[0.8, 0.1, 0.1], &[0.1, 0.8, 0.1], 200);
    assert!(tie.iter().flatten().count() <= MAX_WRONG as usize);
}

#[test]
fn numbers_that_are_not_finite_settle_nothing() {
    assert_eq!(
        settled_class(constant(0.76), &[f64::NAN, f64::NAN], &[900, 100], 1000).unwrap(),
        None
    );
    assert_eq!(settled_class(constant(0.76), &[], &[], 0).unwrap(), None);
    assert!(settled_class(constant(0.76), &[-0.1, -2.0], &[9, 0], 5).is_err());
}
