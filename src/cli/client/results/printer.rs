//! Prints predictions: each at once as a JSON line, or all at the end as a table with a summary.

use std::time::Instant;

use super::prediction_record::PredictionRecord;
use super::summary::summary_lines;
use super::table::result_table;
use crate::cli::output;

/// Prints records, and collects those for the table.
pub(in crate::cli::client) struct ResultPrinter {
    json: bool,
    records: Vec<PredictionRecord>,
    started: Instant,
}

impl ResultPrinter {
    /// Starts the clock for the summary.
    pub(in crate::cli::client) fn new(json: bool) -> Self {
        Self {
            json,
            records: Vec::new(),
            started: Instant::now(),
        }
    }

    /// Prints the record as JSON, or keeps it for the table.
    pub(in crate::cli::client) fn add(&mut self, record: PredictionRecord) -> anyhow::Result<()> {
        if self.json {
            return output::line(serde_json::to_string(&record)?);
        }
        self.records.push(record);
        Ok(())
    }

    /// Prints the table and the summary. Call it after an error too: the predictions received
    /// before it are valid.
    pub(in crate::cli::client) fn finish(self) -> anyhow::Result<()> {
        if self.records.is_empty() {
            return Ok(());
        }
        output::line(result_table(&self.records))?;
        for line in summary_lines(&self.records, self.started.elapsed()) {
            output::line(line)?;
        }
        Ok(())
    }
}
