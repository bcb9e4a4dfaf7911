//! Computes the records of a batch of inputs.

use crate::certificate::noise::NoiseSecret;
use crate::classifier::{OutputError, OutputWorker};
use crate::domain::{Input, Role};
use crate::evaluation::dataset::{DataSetEntry, LabelledInput};
use crate::evaluation::record::{EvaluationRecord, RobustOutput, SamplingConditions};
use crate::evaluation::record_file::SkippedInput;

/// A record, or an input without one.
#[derive(Debug)]
pub(super) enum Outcome {
    Record(EvaluationRecord),
    Skipped(SkippedInput),
}

/// Computes the outcome of each entry, in their order.
///
/// # Errors
/// If a model works on no input any more.
pub(super) fn evaluate(
    worker: &mut OutputWorker,
    sampling: Option<&SamplingConditions>,
    entries: Vec<DataSetEntry>,
) -> Result<Vec<Outcome>, OutputError> {
    let inputs: Vec<&Input> = entries
        .iter()
        .filter_map(|entry| match entry {
            DataSetEntry::Input(labelled) => Some(&labelled.input),
            DataSetEntry::Skipped(_) => None,
        })
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "a batch has few inputs")]
    let count = inputs.len().max(1) as f64;
    let (standard, time) = worker.run_rows(Role::Standard, &inputs)?;
    let mut seconds = time.as_secs_f64() / count;
    let robust = match sampling {
        Some(_) => Vec::new(),
        None => {
            let (robust, time) = worker.run_rows(Role::Robust, &inputs)?;
            seconds += time.as_secs_f64() / count;
            robust
        }
    };
    let (mut standard, mut robust) = (standard.into_iter(), robust.into_iter());
    let mut outcomes = Vec::with_capacity(entries.len());
    for entry in entries {
        let labelled = match entry {
            DataSetEntry::Skipped(skipped) => {
                outcomes.push(Outcome::Skipped(skipped));
                continue;
            }
            DataSetEntry::Input(labelled) => labelled,
        };
        let rows = (standard.next(), robust.next());
        match record(worker, sampling, &labelled, rows, seconds) {
            Ok(record) => outcomes.push(Outcome::Record(record)),
            Err(broken @ OutputError::Session { .. }) => return Err(broken),
            Err(OutputError::Input(reason)) => outcomes.push(Outcome::Skipped(SkippedInput {
                index: labelled.index,
                name: labelled.id,
                reason,
            })),
        }
    }
    Ok(outcomes)
}

type Row = Option<Result<Vec<f32>, OutputError>>;

/// The record of one input. Its votes, if the model is smoothed, are drawn here.
fn record(
    worker: &mut OutputWorker,
    sampling: Option<&SamplingConditions>,
    labelled: &LabelledInput,
    (standard, robust): (Row, Row),
    seconds: f64,
) -> Result<EvaluationRecord, OutputError> {
    let row = |row: Row| row.unwrap_or_else(|| Err(OutputError::Input("the model returned no row".to_owned())));
    let standard = row(standard)?;
    let (robust, snapping_loss, vote_seconds) = match sampling {
        None => (RobustOutput::Row(row(robust)?), 0.0, 0.0),
        Some(sampling) => {
            let key = NoiseSecret::new(sampling.noise_secret).derive(labelled.index);
            let votes = sampling.selection_votes.saturating_add(sampling.estimation_votes);
            let (drawn, time) = worker.draw_votes(&labelled.input, &key, votes)?;
            (
                RobustOutput::Votes(drawn.votes),
                drawn.snapping_loss,
                time.as_secs_f64(),
            )
        }
    };
    Ok(EvaluationRecord {
        id: labelled.id.clone(),
        index: labelled.index,
        label: labelled.label,
        standard,
        robust,
        snapping_loss,
        seconds: seconds + vote_seconds,
    })
}
