//! The summary of an evaluation: counts of right and certified answers.

use std::path::Path;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use serde_json::{Value, json};

use super::tsv::TsvWriter;
use crate::certificate::argmax;
use crate::domain::{CertificateStatus, RobustOutput};
use crate::evaluation::recompute::{Recomputation, Setting};
use crate::evaluation::{EvaluationHeader, EvaluationRecord, RecordFileReader, RunSummary, SamplingConditions};

/// The counts of a record file.
pub(super) struct Summary {
    header: EvaluationHeader,
    pub(super) run: RunSummary,
    records: u64,
    counts: Counts,
    /// The inputs that this process has evaluated, and the time it took.
    evaluated: u64,
    seconds: f64,
}

#[derive(Default)]
struct Counts {
    labelled: u64,
    standard_right: u64,
    robust_right: u64,
    mixture_right: u64,
    certified: u64,
    certified_right: u64,
}

/// Reads the records one group at a time, counts them, and writes the answers of the mixture in force to
/// `tsv`.
pub(super) fn summarise(
    mut reader: RecordFileReader,
    mut tsv: Option<TsvWriter>,
    evaluated: u64,
    seconds: f64,
) -> anyhow::Result<Summary> {
    let header = reader.header().clone();
    let setting = Setting::in_force(&header);
    let mut counts = Counts::default();
    while let Some(records) = reader.next_group()? {
        let answers = Recomputation::new(&header, &records)?.answers(&setting)?;
        for (record, answer) in records.iter().zip(&answers) {
            let is_certified = answer.status == CertificateStatus::Certified;
            counts.certified += u64::from(is_certified);
            if let Some(label) = record.label.and_then(|label| usize::try_from(label).ok()) {
                counts.labelled += 1;
                counts.standard_right += u64::from(largest(&record.standard) == Some(label));
                counts.robust_right += u64::from(robust_class(record, header.labels.len()) == Some(label));
                counts.mixture_right += u64::from(answer.class == label);
                counts.certified_right += u64::from(is_certified && answer.class == label);
            }
            if let Some(tsv) = &mut tsv {
                tsv.add(record, answer)?;
            }
        }
    }
    if let Some(tsv) = tsv {
        tsv.finish()?;
    }
    Ok(Summary {
        run: reader.summary().clone(),
        records: reader.record_count(),
        header,
        counts,
        evaluated,
        seconds,
    })
}

fn largest(row: &[f32]) -> Option<usize> {
    let row: Vec<f64> = row.iter().map(|&value| f64::from(value)).collect();
    argmax(&row)
}

/// The class of the robust model alone; of a smoothed model, the class with the most votes.
fn robust_class(record: &EvaluationRecord, classes: usize) -> Option<usize> {
    match &record.robust {
        RobustOutput::Row(row) => largest(row),
        RobustOutput::Votes(votes) => {
            let mut counts = vec![0.0; classes];
            for class in votes.iter().flatten().filter_map(|&class| usize::try_from(class).ok()) {
                if let Some(count) = counts.get_mut(class) {
                    *count += 1.0;
                }
            }
            argmax(&counts)
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn share(count: u64, of: u64) -> f64 {
    count as f64 / of.max(1) as f64
}

impl Summary {
    /// One line: the number of records, and where they come from.
    pub(super) fn headline(&self) -> String {
        let skipped = match self.run.skipped {
            0 => String::new(),
            skipped => format!(", {skipped} skipped"),
        };
        format!("{} inputs of {}{skipped}", self.records, self.header.data_set.name)
    }

    /// The votes of one input; 0 for a model that is not smoothed.
    fn votes_per_input(&self) -> u64 {
        let sampling = self.header.sampling.as_ref();
        sampling.map_or(0, SamplingConditions::votes)
    }

    /// The inputs, or the votes, that this process evaluated in a second.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    fn per_second(&self) -> f64 {
        let units = self.evaluated.saturating_mul(self.votes_per_input().max(1));
        units as f64 / self.seconds.max(1e-9)
    }

    fn rows(&self) -> [(&'static str, u64, u64); 5] {
        let Counts {
            labelled,
            standard_right,
            robust_right,
            mixture_right,
            certified,
            certified_right,
        } = self.counts;
        [
            ("standard model right", standard_right, labelled),
            ("robust model right", robust_right, labelled),
            ("mixture in force right", mixture_right, labelled),
            ("certified", certified, self.records),
            ("right and certified", certified_right, labelled),
        ]
    }

    /// The table for people.
    pub(super) fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED);
        table.set_header(["answers", "inputs", "of", "share"]);
        for (name, count, of) in self.rows() {
            table.add_row([
                name.to_owned(),
                count.to_string(),
                of.to_string(),
                format!("{:.2} %", 100.0 * share(count, of)),
            ]);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }

    /// The summary for programs.
    pub(super) fn to_json(&self, out: &Path) -> Value {
        let Counts {
            labelled,
            standard_right,
            robust_right,
            mixture_right,
            certified,
            certified_right,
        } = self.counts;
        let weights = self.header.settings.mixture.weights;
        json!({
            "out": out.display().to_string(),
            "data_set": { "name": self.header.data_set.name, "sha256": self.header.data_set.sha256 },
            "inputs": self.run.next_index,
            "records": self.records,
            "skipped": self.run.skipped,
            "skipped_inputs": self.run.skipped_inputs,
            "labelled": labelled,
            "standard_right": standard_right,
            "robust_right": robust_right,
            "in_force": {
                "alpha": weights.alpha().get(),
                "fallback_alpha": weights.fallback_alpha().get(),
                "robust_temperature": self.header.settings.mixture.robust_temperature.get(),
                "right": mixture_right,
                "certified": certified,
                "right_and_certified": certified_right,
            },
            "votes_per_input": self.votes_per_input(),
            "evaluated_now": self.evaluated,
            "seconds": self.seconds,
            "rows_or_votes_per_second": self.per_second(),
        })
    }
}
