//! The recommendation as text.

use std::path::Path;

use super::json::verdict_name;
use super::tables::{
    changes_table, classes_table, costs_table, interval, percent, radii_table, settings_table, shares_table,
};
use crate::cli::output;
use crate::cli::text_layout::{printable, wrap};
use crate::evaluation::recommend::{Constraint, ConstraintVerdict, Recommendation};
use crate::evaluation::{EvaluationHeader, setting_command, settings_file_text};

/// The column at which a further line of a paragraph begins.
const INDENT: &str = "  ";

pub(super) fn print_recommendation(
    results: &Path,
    config: Option<&Path>,
    header: &EvaluationHeader,
    recommendation: &Recommendation,
) -> anyhow::Result<()> {
    for text in heading(results, header, recommendation) {
        paragraph(&text)?;
    }
    output::table(settings_table(recommendation))?;
    output::table(costs_table(recommendation))?;
    if let Some(table) = radii_table(recommendation) {
        output::table(table)?;
    }
    output::line("")?;
    paragraph(&format!(
        "The {} inputs held aside from the search; the intervals hold together with {} % confidence:",
        recommendation.held_aside.inputs,
        100.0 * recommendation.confidence
    ))?;
    output::table(shares_table(recommendation))?;
    output::table(changes_table(recommendation))?;
    for verdict in &recommendation.held_aside.verdicts {
        paragraph(&verdict_text(verdict))?;
    }
    if let Some((mean, range)) = recommendation.held_aside.cost {
        paragraph(&format!(
            "mean cost of an answer: {mean:.4}, interval {:.4} to {:.4}",
            range.low, range.high
        ))?;
    }
    if let Some(table) = classes_table(header, recommendation) {
        output::line("")?;
        output::table(table)?;
    }
    if !recommendation.missing_evidence.is_empty() {
        output::line("")?;
        paragraph("Missing evidence:")?;
        for text in &recommendation.missing_evidence {
            paragraph(&format!("- {}", printable(text)))?;
        }
    }
    output::line("")?;
    conclusion(config, recommendation)
}

/// The lines above the tables.
fn heading(results: &Path, header: &EvaluationHeader, recommendation: &Recommendation) -> Vec<String> {
    let all = &recommendation.recommended;
    let basis = header
        .guarantee_basis
        .as_ref()
        .map(|basis| format!(", {}", basis.basis));
    let norm = header.guarantee.norm().map(|norm| format!(", {norm}"));
    vec![
        format!("Objective: {}.", recommendation.objective),
        printable(&format!(
            "{}: {} inputs of {}, {} labelled · robust model {} ({}{}{})",
            results.display(),
            all.inputs,
            header.data_set.name,
            all.labelled,
            header.models.robust.name,
            header.guarantee.name(),
            norm.unwrap_or_default(),
            basis.unwrap_or_default(),
        )),
        format!(
            "{} settings compared on {} inputs",
            recommendation.compared_settings, recommendation.searched_inputs
        ),
    ]
}

fn verdict_text(verdict: &ConstraintVerdict) -> String {
    let bound = match verdict.constraint {
        Constraint::MinCleanAccuracy(least) => format!("at least {} right", percent(least)),
        Constraint::MinCertified(least) => format!("at least {} right and certified", percent(least)),
        Constraint::MaxP99Votes(most) => format!("at most {most} votes for 99 % of the answers"),
    };
    format!(
        "{}: {bound}: {}, interval {} %",
        verdict_name(verdict.verdict),
        percent(verdict.estimate.share()),
        interval(verdict.estimate.interval, false)
    )
}

/// Whether a setting fits, and the command that applies it.
fn conclusion(config: Option<&Path>, recommendation: &Recommendation) -> anyhow::Result<()> {
    let (new, old) = (&recommendation.recommended.setting, &recommendation.in_force.setting);
    let is_in_force = new.mixture == old.mixture;
    paragraph(match (recommendation.fits, is_in_force) {
        (true, true) => "No setting is better than the one in force.",
        (true, false) => "To serve the recommended setting:",
        (false, true) => "No setting fits. The one in force is the nearest.",
        (false, false) => "No setting fits. To serve the nearest one:",
    })?;
    if is_in_force {
        return Ok(());
    }
    let command = setting_command(new, old, &settings_file_text(config));
    output::line(format_args!("{INDENT}{command}"))
}

fn paragraph(text: &str) -> anyhow::Result<()> {
    for line in wrap(text, output::width(), INDENT) {
        output::line(line)?;
    }
    Ok(())
}
