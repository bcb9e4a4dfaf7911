//! Counts the answers of many settings from recorded votes.
//!
//! What votes prove depends on alpha, the radius method and the failure probability. It is replayed
//! once for all settings that share them, and only one replay is in memory at a time.

use super::error::RecomputeError;
use super::radius_grid::RadiusGrid;
use super::setting::Setting;
use super::summary::{AnsweredInput, SettingSummary, SummaryCounter};
use crate::classifier::{EvaluatedModels, RecordedVotes, VoteConditions, VoteReplay};
use crate::domain::RobustOutput;
use crate::evaluation::record::EvaluationRecord;

/// The counts of `settings` for `records`, all of which have votes.
pub(super) fn count_votes(
    models: &EvaluatedModels,
    conditions: &VoteConditions,
    records: &[&EvaluationRecord],
    settings: &[Setting],
    grid: &RadiusGrid,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<SettingSummary>, RecomputeError> {
    let mut inputs: Vec<(AnsweredInput, RecordedVotes<'_>)> = records
        .iter()
        .filter_map(|record| match &record.robust {
            RobustOutput::Votes(votes) => {
                let loss = record.snapping_loss;
                let votes = RecordedVotes::new(models, conditions, &record.standard, votes, loss);
                let input = AnsweredInput {
                    label: record.label.and_then(|label| usize::try_from(label).ok()),
                    standard_class: votes.standard_class(),
                };
                Some((input, votes))
            }
            RobustOutput::Row(_) => None,
        })
        .collect();
    let mut counters: Vec<SummaryCounter> = settings
        .iter()
        .map(|&setting| SummaryCounter::new(setting, models.classes, grid))
        .collect();
    for members in groups(settings) {
        let Some(first) = members.first().and_then(|&member| settings.get(member)) else {
            continue;
        };
        let alpha = first.mixture.weights.alpha();
        let mut replay = VoteReplay::new(
            models,
            conditions,
            alpha,
            first.radius_method,
            first.failure_probability,
        )?;
        for (input, votes) in &mut inputs {
            let proof = replay.prove(votes)?;
            for &member in &members {
                let answer = replay.answer(votes, proof, settings[member].mixture.weights)?;
                counters[member].add(*input, &answer, grid.reached_by(answer.radius));
            }
            progress(u64::try_from(members.len()).unwrap_or(u64::MAX));
        }
    }
    Ok(counters.into_iter().map(SummaryCounter::finish).collect())
}

/// The places of the settings that share a replay.
fn groups(settings: &[Setting]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (index, setting) in settings.iter().enumerate() {
        let shares_replay = |group: &&mut Vec<usize>| {
            group
                .first()
                .and_then(|&first| settings.get(first))
                .is_some_and(|first| {
                    first.mixture.weights.alpha() == setting.mixture.weights.alpha()
                        && first.radius_method == setting.radius_method
                        && first.failure_probability == setting.failure_probability
                })
        };
        match groups.iter_mut().find(shares_replay) {
            Some(group) => group.push(index),
            None => groups.push(vec![index]),
        }
    }
    groups
}
