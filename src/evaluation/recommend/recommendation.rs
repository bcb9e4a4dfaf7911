//! The recommended setting, and what the inputs that were held aside say about it.

use super::error::{MIN_LABELLED, RecommendError};
use super::evidence::missing_evidence;
use super::held_aside::{ConstraintVerdict, HeldAside, Verdict, examine};
use super::objective::{Measures, Objective};
use super::search::{SearchSpace, search};
use super::split::is_held_aside;
use crate::domain::RobustOutput;
use crate::evaluation::recompute::{RadiusGrid, Recomputation, RecomputeError, Setting, SettingSummary};
use crate::evaluation::record::{EvaluationHeader, EvaluationRecord};

/// A recommended setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Recommendation {
    /// The objective.
    pub objective: Objective,
    /// The confidence of all statements from the inputs that were held aside, together.
    pub confidence: f64,
    /// Whether the setting keeps every constraint on the searched inputs, and the others refute
    /// none. If not, `recommended` is the setting that misses them by the least.
    pub fits: bool,
    /// The radii of the summaries.
    pub grid: RadiusGrid,
    /// The recommended setting, with its counts over all inputs.
    pub recommended: SettingSummary,
    /// The setting in force, with its counts over all inputs.
    pub in_force: SettingSummary,
    /// The inputs that were searched.
    pub searched_inputs: u64,
    /// The numbers of the recommended setting on them. They are optimistic.
    pub searched: Measures,
    /// The settings that the search compared.
    pub compared_settings: usize,
    /// The statements from the other inputs.
    pub held_aside: HeldAside,
    /// The mean time that the models need for an answer, in seconds of one processor: with the
    /// recommended setting, and with the one in force.
    pub seconds: [f64; 2],
    /// What the records do not show, one sentence each.
    pub missing_evidence: Vec<String>,
}

/// Recommends a setting for `objective` from the records of one file.
///
/// `progress` is called with numbers of finished answers, of [`expected_answers`] at most.
///
/// # Errors
/// [`RecommendError`] for too few labels, a confidence out of range, or records that do not fit.
pub fn recommend(
    header: &EvaluationHeader,
    recomputation: &Recomputation<'_>,
    objective: &Objective,
    in_force: &Setting,
    confidence: f64,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Recommendation, RecommendError> {
    let space = SearchSpace::new(recomputation.takes_temperature(), in_force);
    recommend_in(&space, header, recomputation, objective, in_force, confidence, progress)
}

/// A bound on the number of answers that [`recommend`] computes.
#[must_use]
pub fn expected_answers(recomputation: &Recomputation<'_>) -> u64 {
    let space = SearchSpace::new(recomputation.takes_temperature(), &recomputation.in_force());
    let searched = recomputation
        .records()
        .iter()
        .filter(|record| !is_held_aside(&record.id))
        .count();
    u64::try_from(space.max_settings().saturating_mul(searched)).unwrap_or(u64::MAX)
}

pub(super) fn recommend_in(
    space: &SearchSpace,
    header: &EvaluationHeader,
    recomputation: &Recomputation<'_>,
    objective: &Objective,
    in_force: &Setting,
    confidence: f64,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Recommendation, RecommendError> {
    if !(0.5..=0.999_999).contains(&confidence) {
        return Err(RecommendError::Confidence(confidence));
    }
    let searched_part = recomputation.with_records(|record| !is_held_aside(&record.id));
    let other_part = recomputation.with_records(|record| is_held_aside(&record.id));
    let labelled = |part: &Recomputation<'_>| count(part, |record| record.label.is_some());
    let (in_search, held_aside) = (labelled(&searched_part), labelled(&other_part));
    if in_search.min(held_aside) < MIN_LABELLED {
        return Err(RecommendError::TooFewLabels {
            inputs: count(recomputation, |_| true),
            labelled: in_search + held_aside,
            held_aside,
        });
    }
    let grid = recomputation.radius_grid(objective.radius.as_slice())?;
    let found = search(&searched_part, objective, &grid, in_force, space, progress)?;
    let best = found.best.setting;
    let held_aside = examine(&other_part, objective, &grid, in_force, &best, confidence)?;
    let [recommended, in_force]: [SettingSummary; 2] = recomputation
        .summaries(&[best, *in_force], &grid, &|_| {})?
        .try_into()
        .map_err(|_| RecomputeError::Thread)?;
    let keeps_all = objective.shortfall(&found.best.measures) <= 0.0;
    let is_refuted = |verdict: &ConstraintVerdict| verdict.verdict == Verdict::Refuted;
    Ok(Recommendation {
        objective: objective.clone(),
        confidence,
        fits: keeps_all && !held_aside.verdicts.iter().any(is_refuted),
        missing_evidence: missing_evidence(header, &other_part, &recommended, &in_force, &held_aside),
        seconds: [&recommended, &in_force].map(|summary| mean_seconds(recomputation, summary)),
        grid,
        recommended,
        in_force,
        searched_inputs: count(&searched_part, |_| true),
        searched: found.best.measures,
        compared_settings: found.compared,
        held_aside,
    })
}

fn count(part: &Recomputation<'_>, is_counted: impl Fn(&EvaluationRecord) -> bool) -> u64 {
    let counted = part.records().iter().filter(|record| is_counted(record)).count();
    u64::try_from(counted).unwrap_or(u64::MAX)
}

/// The mean time of the models for an answer. The recorded time of an input with votes is divided
/// evenly among its rows.
fn mean_seconds(recomputation: &Recomputation<'_>, summary: &SettingSummary) -> f64 {
    let records = recomputation.records();
    let seconds: f64 = records.iter().map(|record| record.seconds).sum();
    let votes = |record: &&EvaluationRecord| match &record.robust {
        RobustOutput::Votes(votes) => Some(votes.len()),
        RobustOutput::Row(_) => None,
    };
    let recorded: usize = records.iter().filter_map(votes).sum();
    #[expect(clippy::cast_precision_loss, reason = "the counts stay far below 2^53")]
    let (inputs, recorded) = (records.len().max(1) as f64, recorded as f64);
    if recorded == 0.0 {
        return seconds / inputs;
    }
    seconds / (inputs + recorded) * (1.0 + summary.mean_votes())
}
