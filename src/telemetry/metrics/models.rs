//! Batches, rows and session failures of each model.

use std::time::Duration;

use prometheus::{Error, Histogram, IntCounter};

use super::buckets;
use super::label_cells::per_role;
use super::registry::MetricRegistry;
use crate::domain::{OutputRowFlaws, PerRole, Role};
use crate::scheduler::ModelObserver;

pub(super) struct ModelMetrics {
    rows: PerRole<IntCounter>,
    batch_rows: PerRole<Histogram>,
    batch_duration: PerRole<Histogram>,
    nonfinite_rows: PerRole<IntCounter>,
    improper_rows: PerRole<IntCounter>,
    row_audits: PerRole<IntCounter>,
    row_audit_differences: PerRole<IntCounter>,
    batch_failures: PerRole<IntCounter>,
    session_failures: PerRole<IntCounter>,
    session_repairs: PerRole<IntCounter>,
}

impl ModelMetrics {
    pub(super) fn new(registry: &MetricRegistry) -> Result<Self, Error> {
        let counters = |name, help| per_role(&registry.counters(name, help, &["model"])?);
        let histograms =
            |name, help, buckets: &[f64]| per_role(&registry.histograms(name, help, buckets, &["model"])?);
        Ok(Self {
            rows: counters("certimix_rows_total", "Rows that were run, by model.")?,
            batch_rows: histograms(
                "certimix_batch_rows",
                "Rows of one run without padding, by model.",
                buckets::ROWS,
            )?,
            batch_duration: histograms(
                "certimix_batch_duration_seconds",
                "Time to fill, run and deliver one batch, by model.",
                buckets::STAGE,
            )?,
            nonfinite_rows: counters(
                "certimix_nonfinite_rows_total",
                "Output rows with NaN or infinity, by model.",
            )?,
            improper_rows: counters(
                "certimix_improper_rows_total",
                "Output rows of a probability model that are not in [0, 1] with the sum 1, by model.",
            )?,
            row_audits: counters(
                "certimix_row_audits_total",
                "Answered batches that an audit ran again row by row, by model.",
            )?,
            row_audit_differences: counters(
                "certimix_row_audit_differences_total",
                "Audited batches with a row whose output differed when it ran alone, by model.",
            )?,
            batch_failures: counters(
                "certimix_batch_failures_total",
                "Runs on which the model failed, by model.",
            )?,
            session_failures: counters(
                "certimix_session_failures_total",
                "Sessions that failed on rows that had worked before, by model.",
            )?,
            session_repairs: counters(
                "certimix_session_repairs_total",
                "Sessions that were opened again after a failure, by model.",
            )?,
        })
    }
}

impl ModelObserver for ModelMetrics {
    fn ran(&self, role: Role, rows: usize, elapsed: Duration) {
        self.rows[role].inc_by(u64::try_from(rows).unwrap_or(u64::MAX));
        // A batch is far below 2^32 rows.
        self.batch_rows[role].observe(u32::try_from(rows).map_or(f64::INFINITY, f64::from));
        self.batch_duration[role].observe(elapsed.as_secs_f64());
    }

    fn rows_flawed(&self, role: Role, flaws: OutputRowFlaws) {
        let count = |rows| u64::try_from(rows).unwrap_or(u64::MAX);
        self.nonfinite_rows[role].inc_by(count(flaws.not_finite));
        self.improper_rows[role].inc_by(count(flaws.not_probabilities));
    }

    fn rows_audited(&self, role: Role, same: bool) {
        self.row_audits[role].inc();
        if !same {
            self.row_audit_differences[role].inc();
        }
    }

    fn batch_failed(&self, role: Role) {
        self.batch_failures[role].inc();
    }

    fn session_failed(&self, role: Role) {
        self.session_failures[role].inc();
    }

    fn session_repaired(&self, role: Role) {
        self.session_repairs[role].inc();
    }
}
