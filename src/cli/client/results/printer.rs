//! Shows the answers: each at once as JSON, or all in the end as a table.

use std::time::Instant;

use crate::cli::client::results::prediction_record::Record;
use crate::cli::client::results::summary::summary;
use crate::cli::client::results::table::table;
use crate::cli::output;

/// Answers so far.
pub(crate) struct Report {
    json: bool,
    records: Vec<Record>,
    started: Instant,
}

impl Report {
    /// An empty report; the time counts from here.
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            records: Vec::new(),
            started: Instant::now(),
        }
    }

    /// Takes the next answer.
    pub(crate) fn add(&mut self, record: Record) -> anyhow::Result<()> {
        if self.json {
            return output::line(serde_json::to_string(&record)?);
        }
        self.records.push(record);
        Ok(())
    }

    /// Shows what is left to show; also after an error, since the answers that came are as good as ever.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        if self.records.is_empty() {
            return Ok(());
        }
        output::line(table(&self.records))?;
        for line in summary(&self.records, self.started.elapsed()) {
            output::line(line)?;
        }
        Ok(())
    }
}
