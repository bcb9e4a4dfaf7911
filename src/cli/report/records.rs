//! The report of a record file.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context as _, bail};

use super::images::add_images;
use crate::cli::progress_bar::DelayedProgressBar;
use crate::cli::recommend::{parse_radius, parse_share, settings_in_force};
use crate::evaluation::recommend::{Objective, expected_answers, recommend};
use crate::evaluation::recompute::Recomputation;
use crate::evaluation::report::{RecordsReport, ReportData};
use crate::evaluation::{EvaluationRecords, settings_file_text};

/// The arguments that are about records.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct RecordsArgs {
    /// The record file that `certimix evaluate` wrote
    #[arg(value_name = "RESULTS", required_unless_present = "live", conflicts_with = "live")]
    results: Option<PathBuf>,

    /// The data set of the records, for the images of inputs on which the models disagree
    #[arg(long, value_name = "DATA", conflicts_with = "live")]
    data: Option<PathBuf>,

    /// The radius that the page shows first, and at which an answer counts as certified, in the units of
    /// the float input
    #[arg(long, value_name = "RADIUS", value_parser = parse_radius, conflicts_with = "live")]
    radius: Option<f64>,

    /// Mark the setting that `certimix recommend` finds with this smallest share of right answers, from
    /// 0 to 1
    #[arg(long, value_name = "SHARE", value_parser = parse_share, conflicts_with = "live")]
    min_clean_accuracy: Option<f64>,

    /// Mark the setting that it finds with this smallest share of right and certified answers, from 0
    /// to 1
    #[arg(long, value_name = "SHARE", value_parser = parse_share, conflicts_with = "live")]
    min_certified: Option<f64>,

    /// Mark the setting that it finds with this many votes at most for 99 of 100 answers
    #[arg(long, value_name = "VOTES", conflicts_with = "live")]
    max_p99_votes: Option<u64>,
}

impl RecordsArgs {
    /// The objective of the recommendation; `None` without a constraint.
    fn objective(&self, guard_rails: Option<(f64, f64)>) -> Option<Objective> {
        let objective = Objective {
            radius: self.radius,
            min_clean_accuracy: self.min_clean_accuracy,
            min_certified: self.min_certified,
            max_p99_votes: self.max_p99_votes,
            guard_rails,
            costs: None,
        };
        (!objective.constraints().is_empty()).then_some(objective)
    }
}

/// The confidence of the statements of a recommendation. The recommended setting does not depend on it.
const CONFIDENCE: f64 = 0.95;

/// Reads the records and computes their report.
///
/// # Errors
/// When a file cannot be read, or the records do not fit together.
pub(super) fn records_report(args: &RecordsArgs, config: Option<&Path>) -> anyhow::Result<ReportData> {
    let Some(path) = &args.results else {
        bail!("expected a record file, or --live ADDRESS");
    };
    let (mut header, records) = EvaluationRecords::read(path)?;
    if records.is_empty() {
        bail!("{}: holds no input", path.display());
    }
    let mut guard_rails = None;
    if let Some(config) = config {
        let (settings, accepted) = settings_in_force(config)?;
        (header.settings, guard_rails) = (settings, Some(accepted));
    }
    let recomputation = Recomputation::new(&header, &records).with_context(|| path.display().to_string())?;
    let objective = args.objective(guard_rails);
    let total = match &objective {
        Some(_) => expected_answers(&recomputation),
        None => 0,
    };
    let recommended = with_bar(total, |progress| {
        let in_force = recomputation.in_force();
        objective
            .as_ref()
            .map(|objective| recommend(&header, &recomputation, objective, &in_force, CONFIDENCE, progress))
            .transpose()
    })?;
    let report = RecordsReport {
        header: &header,
        recomputation: &recomputation,
        recommended: recommended.as_ref().map(|found| found.recommended.setting),
        radius: args.radius,
        settings_file: &settings_file_text(config),
    };
    let mut data = with_bar(report.expected_answers()?, |progress| report.compute(progress))?;
    if let Some(path) = &args.data {
        add_images(&mut data, path, &header)?;
    }
    if let Some(found) = recommended {
        let text = if found.fits {
            format!("The recommended setting has {}.", found.objective)
        } else {
            format!(
                "No setting is known to reach the objective ({}). The setting that is marked as recommended misses it by \
                 the least.",
                found.objective
            )
        };
        data.notes.insert(0, text);
    }
    Ok(data)
}

/// Runs `work` with a progress bar of `total` answers.
fn with_bar<T>(total: u64, work: impl FnOnce(&(dyn Fn(u64) + Sync)) -> T) -> T {
    let bar = Mutex::new(DelayedProgressBar::new(total, "answers"));
    work(&|finished| {
        if let Ok(mut bar) = bar.lock() {
            bar.advance(finished);
        }
    })
}
