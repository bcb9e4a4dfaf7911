//! Prints predictions: each at once as a JSON line, or all at the end as a table with a summary.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::class_names::ClassNames;
use super::prediction_record::PredictionRecord;
use super::summary::summary_lines;
use super::table::{CLASS_WIDTH, MIN_CLASS_WIDTH, base_name, result_table};
use super::text_format::rounded_radius;
use crate::cli::client::input::{ConversionCounts, Conversions};
use crate::cli::output;
use crate::cli::text_layout::{Keep, count_of, display_width, printable, shorten, wrap_parts};

/// A command of JSON lines that takes longer ends with a summary on stderr.
const LONG_RUN: Duration = Duration::from_secs(2);

/// Prints records, and collects those for the table.
pub(in crate::cli::client) struct ResultPrinter {
    json: bool,
    classes: ClassNames,
    records: Vec<PredictionRecord>,
    answered: usize,
    failed: usize,
    conversions: ConversionCounts,
    /// The lines below an error that were printed. Several inputs often need the same advice.
    printed_advice: HashSet<String>,
    started: Instant,
}

impl ResultPrinter {
    /// Starts the clock for the summary. `labels` are those of the model.
    pub(in crate::cli::client) fn new(json: bool, labels: &[String]) -> Self {
        Self {
            json,
            classes: ClassNames::new(labels),
            records: Vec::new(),
            answered: 0,
            failed: 0,
            conversions: ConversionCounts::default(),
            printed_advice: HashSet::new(),
            started: Instant::now(),
        }
    }

    /// Prints the record as JSON, or keeps it for the table.
    pub(in crate::cli::client) fn add(
        &mut self,
        record: PredictionRecord,
        conversions: &Conversions,
    ) -> anyhow::Result<()> {
        // A stream has several records of one input, of which the table gets the last.
        if record.is_final != Some(false) || !self.json {
            self.answered += 1;
            self.conversions.add(conversions);
        }
        if self.json {
            return output::line(serde_json::to_string(&record)?);
        }
        self.records.push(record);
        Ok(())
    }

    /// One message of a stream in a line of at most `width` columns, at least
    /// [`MIN_WIDTH`](output::MIN_WIDTH).
    pub(in crate::cli::client) fn status_text(&self, record: &PredictionRecord, width: usize) -> String {
        let radius = rounded_radius(record.certificate.radius);
        let votes = match record.certificate.votes {
            0 => String::new(),
            votes => format!(", {}/{votes} votes", record.certificate.votes_for_class),
        };
        let rest = |votes: &str| format!(" within {radius}{votes}, {:.1} s", record.time_ms / 1e3);
        let full = rest(&votes);
        let is_too_long = display_width(&full) + MIN_CLASS_WIDTH > width;
        let rest = if is_too_long { rest("") } else { full };
        let left = width.saturating_sub(display_width(&rest));
        let class = self
            .classes
            .fitting(&record.label, Some(record.class_index), left.min(CLASS_WIDTH));
        let left = left.saturating_sub(display_width(&class) + ": ".len());
        match shorten(&printable(base_name(&record.file)), left, Keep::End) {
            Some(file) => format!("{file}: {class}{rest}"),
            None => format!("{class}{rest}"),
        }
    }

    /// Prints the error of `inputs` inputs without a result. Its first line names them.
    pub(in crate::cli::client) fn fail(&mut self, inputs: usize, error: &str) {
        self.failed += inputs;
        output::error(self.without_repeated_advice(error));
    }

    /// The first line, and those of the others that were not printed before.
    fn without_repeated_advice(&mut self, error: &str) -> String {
        let mut lines = error.lines();
        let mut text = lines.next().unwrap_or_default().to_owned();
        for line in lines.filter(|line| self.printed_advice.insert((*line).to_owned())) {
            text.push('\n');
            text.push_str(line);
        }
        text
    }

    /// The number of inputs with a result.
    pub(in crate::cli::client) fn answered(&self) -> usize {
        self.answered
    }

    /// The number of inputs and files without a result.
    pub(in crate::cli::client) fn failed(&self) -> usize {
        self.failed
    }

    /// Prints the table, the summary, and what was changed in the images. Call it after an error or
    /// an interruption too: the predictions received before it are valid.
    pub(in crate::cli::client) fn finish(self) -> anyhow::Result<()> {
        if !self.records.is_empty() {
            let width = output::width();
            output::table(result_table(&self.records, &self.classes, width))?;
            if !output::is_quiet() {
                for line in summary_lines(&self.records, self.failed, self.started.elapsed()) {
                    for part in wrap_parts(&line, width, "  ") {
                        output::line(part)?;
                    }
                }
            }
        }
        for line in self.conversions.lines() {
            output::note(line);
        }
        let elapsed = self.started.elapsed();
        if self.json && elapsed > LONG_RUN {
            output::note(format_args!(
                "{} answered, {} without a result · {:.1} s",
                count_of(self.answered, "input"),
                self.failed,
                elapsed.as_secs_f64()
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::client::results::prediction_record::tests::certified_record;

    #[test]
    fn a_status_line_fits() {
        let printer = ResultPrinter::new(false, &[]);
        let record = PredictionRecord {
            file: "photos/a-long-name-of-7-cat.png".into(),
            ..certified_record()
        };
        let text = |width| printer.status_text(&record, width);
        assert_eq!(
            text(80),
            "a-long-name-of-7-cat.png: cat within 0.2513, 112/112 votes, 0.0 s"
        );
        assert_eq!(text(53), "…7-cat.png: cat within 0.2513, 112/112 votes, 0.0 s");
        assert_eq!(text(40), "…of-7-cat.png: cat within 0.2513, 0.0 s");
    }

    #[test]
    fn advice_is_printed_once() {
        let mut printer = ResultPrinter::new(false, &[]);
        assert_eq!(
            printer.without_repeated_advice("a.png: no\n  Wait."),
            "a.png: no\n  Wait."
        );
        assert_eq!(printer.without_repeated_advice("b.png: no\n  Wait."), "b.png: no");
    }
}
