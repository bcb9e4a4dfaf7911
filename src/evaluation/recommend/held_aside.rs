//! What the inputs that were held aside say about a setting.

use super::comparison::Comparison;
use super::error::RecommendError;
use super::intervals::{Estimate, Interval};
use super::objective::{Constraint, Costs, Measures, Objective};
use crate::certificate::FailureProbability;
use crate::classifier::RecomputedAnswer;
use crate::evaluation::recompute::{RadiusGrid, Recomputation, RecomputeError, Setting};

/// Whether the inputs that were held aside show that a constraint is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The whole interval keeps the constraint.
    Confirmed,
    /// The interval has values on both sides.
    Undecided,
    /// The whole interval misses the constraint.
    Refuted,
}

/// A constraint with its verdict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConstraintVerdict {
    /// The constraint.
    pub constraint: Constraint,
    /// The verdict.
    pub verdict: Verdict,
    /// The estimate that it rests on. For votes, of the share of answers within the bound.
    pub estimate: Estimate,
}

/// What the inputs that were held aside say about the recommended setting.
///
/// All intervals and verdicts hold together with at least the confidence of the recommendation.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldAside {
    /// The inputs of the part.
    pub inputs: u64,
    /// The share of right answers.
    pub clean_accuracy: Estimate,
    /// The share of answers that are right and certified at the radius of the objective.
    pub certified: Estimate,
    /// The mean cost and its interval, if the objective has costs.
    pub cost: Option<(f64, Interval)>,
    /// The change from the setting in force.
    pub comparison: Comparison,
    /// The constraints.
    pub verdicts: Vec<ConstraintVerdict>,
}

/// The statements about `best` from the inputs of `part`, which the search has not seen.
pub(super) fn examine(
    part: &Recomputation<'_>,
    objective: &Objective,
    grid: &RadiusGrid,
    in_force: &Setting,
    best: &Setting,
    confidence: f64,
) -> Result<HeldAside, RecommendError> {
    // Clean accuracy, certified share, their two changes, and at most one each for cost and votes.
    let statements = 4 + u32::from(objective.costs.is_some()) + u32::from(objective.max_p99_votes.is_some());
    let level = FailureProbability::new((1.0 - confidence) / f64::from(statements))?;
    let summaries = part.summaries(&[*best], grid, &|_| {})?;
    let summary = summaries.first().ok_or(RecomputeError::Thread)?;
    let measures = objective.measures(summary, grid);
    let (before, after) = (part.answers(in_force)?, part.answers(best)?);
    let clean_accuracy = Estimate::new(measures.right, measures.inputs, level)?;
    let certified = Estimate::new(measures.certified, measures.inputs, level)?;
    let verdicts = objective
        .constraints()
        .into_iter()
        .map(|constraint| {
            let (estimate, least) = match constraint {
                Constraint::MinCleanAccuracy(least) => (clean_accuracy, least),
                Constraint::MinCertified(least) => (certified, least),
                Constraint::MaxP99Votes(most) => (within_votes(&after, most, level)?, 0.99),
            };
            let verdict = if estimate.interval.low >= least {
                Verdict::Confirmed
            } else if estimate.interval.high < least {
                Verdict::Refuted
            } else {
                Verdict::Undecided
            };
            Ok(ConstraintVerdict {
                constraint,
                verdict,
                estimate,
            })
        })
        .collect::<Result<_, RecommendError>>()?;
    Ok(HeldAside {
        inputs: u64::try_from(part.records().len()).unwrap_or(u64::MAX),
        clean_accuracy,
        certified,
        cost: objective.costs.map(|costs| cost_interval(&measures, &costs, level)),
        comparison: Comparison::new(part.records(), &before, &after, objective.radius, level)?,
        verdicts,
    })
}

/// The share of answers with at most `most` votes.
fn within_votes(
    answers: &[RecomputedAnswer],
    most: u64,
    level: FailureProbability,
) -> Result<Estimate, RecommendError> {
    let within = answers.iter().filter(|answer| answer.votes <= most).count();
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    Ok(Estimate::new(count(within), count(answers.len()), level)?)
}

/// The mean cost, with the interval of Hoeffding's inequality: costs are bounded, and their mean is no
/// share, for which an exact interval exists.
fn cost_interval(measures: &Measures, costs: &Costs, level: FailureProbability) -> (f64, Interval) {
    let mean = measures.mean_cost(costs);
    let (low, high) = costs.range();
    #[expect(clippy::cast_precision_loss, reason = "the counts stay far below 2^53")]
    let inputs = measures.inputs as f64;
    let half_width = (high - low) * ((2.0 / level.get()).ln() / (2.0 * inputs)).sqrt();
    let interval = Interval {
        low: (mean - half_width).max(low),
        high: (mean + half_width).min(high),
    };
    (mean, interval)
}
