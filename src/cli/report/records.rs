//! The report of a record file.

use std::path::PathBuf;
use std::sync::Mutex;

use anyhow::{Context as _, bail};

use crate::cli::output;
use crate::cli::progress_bar::DelayedProgressBar;
use crate::evaluation::EvaluationRecords;
use crate::evaluation::recompute::{Recomputation, Setting};
use crate::evaluation::report::{RecordsReport, ReportData};

/// The arguments that are about records.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct RecordsArgs {
    /// The record file that `certimix evaluate` wrote
    #[arg(value_name = "RESULTS", required_unless_present = "live", conflicts_with = "live")]
    results: Option<PathBuf>,

    /// The radius that the page shows first, in the units of the float input
    #[arg(long, value_name = "RADIUS", conflicts_with = "live")]
    radius: Option<f64>,
}

/// Reads the records and computes their report.
///
/// # Errors
/// When the file cannot be read, or its records do not fit together.
pub(super) fn records_report(args: &RecordsArgs, settings_file: &str) -> anyhow::Result<ReportData> {
    let Some(path) = &args.results else {
        bail!("expected a record file, or --live ADDRESS");
    };
    let (header, records) = EvaluationRecords::read(path)?;
    if records.is_empty() {
        bail!("{}: holds no input", path.display());
    }
    let recomputation = Recomputation::new(&header, &records).with_context(|| path.display().to_string())?;
    let report = RecordsReport {
        header: &header,
        recomputation: &recomputation,
        recommended: recommended(),
        radius: args.radius,
        settings_file,
    };
    let bar = Mutex::new(DelayedProgressBar::new(report.expected_answers()?, "answers"));
    let data = report.compute(&|finished| {
        if let Ok(mut bar) = bar.lock() {
            bar.advance(finished);
        }
    })?;
    output::note(format_args!("{} records of {}", records.len(), path.display()));
    Ok(data)
}
