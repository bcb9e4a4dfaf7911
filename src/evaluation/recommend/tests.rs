//! The search finds what its objective asks for, and the intervals cover after it.

use super::recommendation::recommend_in;
use super::search::SearchSpace;
use super::*;
use crate::evaluation::examples::{header, records};
use crate::evaluation::recompute::{Recomputation, Setting};
use crate::evaluation::record::EvaluationRecord;

fn small_recommendation(records: &[EvaluationRecord], is_smoothed: bool, objective: &Objective) -> Recommendation {
    let header = header(is_smoothed);
    let recomputation = Recomputation::new(&header, records).unwrap();
    let in_force = recomputation.in_force();
    let mut space = SearchSpace::small();
    if is_smoothed {
        space.temperatures = vec![1.0];
    }
    recommend_in(&space, &header, &recomputation, objective, &in_force, 0.95, &|_| {}).unwrap()
}

fn measures(records: &[EvaluationRecord], setting: Setting, objective: &Objective) -> Measures {
    let recomputation = Recomputation::new(&header(false), records).unwrap();
    let grid = recomputation.radius_grid(objective.radius.as_slice()).unwrap();
    let summaries = recomputation.summaries(&[setting], &grid, &|_| {}).unwrap();
    objective.measures(&summaries[0], &grid)
}

#[test]
fn the_recommended_setting_keeps_the_constraint_and_beats_the_one_in_force() {
    for is_smoothed in [false, true] {
        let records = records(is_smoothed, 600, 3);
        let objective = Objective {
            radius: Some(0.1),
            min_clean_accuracy: Some(0.8),
            ..Objective::default()
        };
        let found = small_recommendation(&records, is_smoothed, &objective);
        assert!(found.fits, "{found:#?}");
        assert!(found.searched.clean_accuracy() >= 0.8);
        let of = |summary| objective.measures(summary, &found.grid);
        assert!(
            of(&found.recommended).certified >= of(&found.in_force).certified,
            "{found:#?}"
        );
        // The counts over all inputs are those of both parts.
        let held_aside = &found.held_aside;
        assert_eq!(
            of(&found.recommended).right,
            found.searched.right + held_aside.clean_accuracy.count
        );
        assert_eq!(
            of(&found.recommended).certified,
            found.searched.certified + held_aside.certified.count
        );
        assert_eq!(found.recommended.inputs, found.searched_inputs + held_aside.inputs);
        let change = held_aside.comparison.right;
        let (low, high) = (change.interval.low, change.interval.high);
        assert!(low <= change.difference() && change.difference() <= high);
    }
}

#[test]
fn an_objective_out_of_reach_has_a_nearest_setting() {
    let records = records(false, 400, 4);
    let objective = Objective {
        min_clean_accuracy: Some(0.999),
        ..Objective::default()
    };
    let found = small_recommendation(&records, false, &objective);
    assert!(!found.fits);
    // The nearest is the most accurate setting of the space.
    let best_accuracy = Objective {
        min_certified: Some(0.0),
        ..Objective::default()
    };
    let most_accurate = small_recommendation(&records, false, &best_accuracy);
    assert!(most_accurate.fits);
    assert_eq!(found.searched.right, most_accurate.searched.right);
}

#[test]
fn the_search_stays_within_the_guard_rails() {
    let records = records(false, 300, 8);
    let objective = Objective {
        min_certified: Some(0.0),
        guard_rails: Some((0.7, 0.9)),
        ..Objective::default()
    };
    let setting = small_recommendation(&records, false, &objective).recommended.setting;
    assert!((0.7..=0.9).contains(&setting.alpha()) && (0.7..=0.9).contains(&setting.fallback_alpha()));
    assert!(objective.accepts(&setting.with_mixture(0.7, 0.7, 1.0).unwrap()));
    assert!(!objective.accepts(&setting.with_mixture(0.8, 0.0, 1.0).unwrap()));
}

#[test]
fn a_low_cost_prefers_the_answers_that_are_cheap() {
    let records = records(false, 500, 5);
    let cheapest = |costs: &str| {
        let costs = Costs::parse(costs).unwrap();
        let objective = Objective {
            costs: Some(costs),
            ..Objective::default()
        };
        let found = small_recommendation(&records, false, &objective);
        let (mean, interval) = found.held_aside.cost.unwrap();
        assert!(interval.low <= mean && mean <= interval.high);
        found.searched
    };
    let accurate = cheapest("wrong=1,wrong-certified=1");
    let certified = cheapest("right=1,wrong=1,wrong-certified=1");
    assert!(accurate.right > certified.right && certified.certified > accurate.certified);
}

#[test]
fn too_few_labels_are_refused() {
    let mut records = records(false, 200, 6);
    for record in &mut records {
        record.label = None;
    }
    let header = header(false);
    let recomputation = Recomputation::new(&header, &records).unwrap();
    let in_force = recomputation.in_force();
    let objective = Objective::default();
    let run = |confidence| recommend(&header, &recomputation, &objective, &in_force, confidence, &|_| {});
    let error = run(0.95).unwrap_err().to_string();
    assert!(error.contains("0 of 200 inputs have a label"), "{error}");
    assert!(run(0.4).is_err() && run(f64::NAN).is_err());
}

/// Draws `count` records of `population` with replacement, each under a name of its own.
fn sample(population: &[EvaluationRecord], count: u64, seed: u64) -> Vec<EvaluationRecord> {
    let mut source = fastrand::Rng::with_seed(seed);
    (0..count)
        .map(|index| EvaluationRecord {
            id: format!("{seed}-{index}"),
            index,
            ..population[source.usize(..population.len())].clone()
        })
        .collect()
}

/// The population is finite, so the true shares are known exactly. Every run searches a sample of it,
/// and its statements about the chosen setting are compared with the truth. On the searched half, the
/// certified share of the chosen setting is too large in the mean: it was chosen for that.
#[test]
fn the_intervals_cover_the_truth_after_a_search() {
    const RUNS: u64 = 60;
    /// 5 % of the runs, plus four standard deviations.
    const MAX_MISSES: u64 = 3 + 4 * 2;
    let population: Vec<_> = records(false, 3_000, 7)
        .into_iter()
        .filter(|record| record.label.is_some())
        .collect();
    let objective = Objective {
        radius: Some(0.3),
        min_clean_accuracy: Some(0.85),
        ..Objective::default()
    };
    let (mut misses, mut optimism, mut held_aside_error) = (0, 0.0, 0.0);
    for run in 0..RUNS {
        let found = small_recommendation(&sample(&population, 160, 1_000 + run), false, &objective);
        let truth = |setting| measures(&population, setting, &objective);
        let (chosen, before) = (truth(found.recommended.setting), truth(found.in_force.setting));
        let covers = |interval: Interval, value: f64| interval.low <= value && value <= interval.high;
        let held_aside = &found.held_aside;
        let comparison = held_aside.comparison;
        let all = [
            (held_aside.clean_accuracy.interval, chosen.clean_accuracy()),
            (held_aside.certified.interval, chosen.certified_share()),
            (
                comparison.right.interval,
                chosen.clean_accuracy() - before.clean_accuracy(),
            ),
            (
                comparison.certified.interval,
                chosen.certified_share() - before.certified_share(),
            ),
        ];
        misses += u64::from(!all.into_iter().all(|(interval, value)| covers(interval, value)));
        optimism += found.searched.certified_share() - chosen.certified_share();
        held_aside_error += held_aside.certified.share() - chosen.certified_share();
    }
    assert!(
        misses <= MAX_MISSES,
        "{misses} of {RUNS} runs have an interval that misses"
    );
    let mean = |sum: f64| sum / f64::from(u32::try_from(RUNS).unwrap());
    // One standard deviation of the mean of the runs is about 0.007.
    assert!(
        mean(optimism) > 0.01,
        "the searched half must be optimistic: {}",
        mean(optimism)
    );
    assert!(mean(held_aside_error).abs() < 0.025, "{}", mean(held_aside_error));
}
