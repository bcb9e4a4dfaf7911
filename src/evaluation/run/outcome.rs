//! The outcome of each entry of a batch.

use super::output_source::OutputSource;
use crate::evaluation::dataset::{DataSetEntry, LabelledInput};
use crate::evaluation::record::{EvaluationRecord, SamplingConditions};
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
/// The reason why `source` works on no input any more.
pub(super) fn outcomes<S: OutputSource>(
    source: &mut S,
    sampling: Option<&SamplingConditions>,
    entries: Vec<DataSetEntry>,
) -> Result<Vec<Outcome>, String> {
    let inputs: Vec<&LabelledInput> = entries
        .iter()
        .filter_map(|entry| match entry {
            DataSetEntry::Input(labelled) => Some(labelled),
            DataSetEntry::Skipped(_) => None,
        })
        .collect();
    let mut results = match inputs.as_slice() {
        [] => Vec::new(),
        inputs => source.outputs(sampling, inputs)?,
    }
    .into_iter();
    let mut outcomes = Vec::with_capacity(entries.len());
    for entry in entries {
        outcomes.push(match entry {
            DataSetEntry::Skipped(skipped) => Outcome::Skipped(skipped),
            DataSetEntry::Input(labelled) => {
                let result = results.next().unwrap_or_else(|| Err("has no outputs".to_owned()));
                match result {
                    Ok(found) => Outcome::Record(EvaluationRecord {
                        id: labelled.id,
                        index: labelled.index,
                        label: labelled.label,
                        standard: found.outputs.standard,
                        robust: found.outputs.robust,
                        noise_key: found.noise_key,
                        snapping_loss: found.snapping_loss,
                        seconds: found.seconds,
                    }),
                    Err(reason) => Outcome::Skipped(SkippedInput {
                        index: labelled.index,
                        name: labelled.id,
                        reason,
                    }),
                }
            }
        });
    }
    Ok(outcomes)
}
