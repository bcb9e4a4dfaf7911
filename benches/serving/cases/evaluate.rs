//! (m) Rows and votes a second of `certimix evaluate`, against bare inference of as many rows.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use super::format::per_second;
use super::round_statistics::median_of;
use crate::bare_runtime::{BareLoopResult, saturate_pairs, saturate_robust};
use crate::context::BenchContext;
use crate::provenance::Provenance;
use crate::report::{CaseReport, Measurement, Unit};
use crate::testbed::{ModelSet, VOTE_SETTINGS};

/// The batches of the bare loop, of which the fastest counts.
const BARE_BATCHES: [usize; 3] = [1, 4, 16];
/// The votes of an input: 240 estimation votes and 16 selection votes.
const VOTES: f64 = 256.0;
/// An evaluation lasts this many windows of the bare loop, because its start and its end do not run
/// rows on all processors.
const EVALUATION_WINDOWS: f64 = 4.0;

pub fn run(context: &BenchContext, provenance: &Provenance) -> anyhow::Result<CaseReport> {
    let rows = rounds(context, ModelSet::Unproven, &[])?;
    let votes = rounds(context, ModelSet::Smoothed, VOTE_SETTINGS)?;
    let measurement = |name: &str, rounds: &[Round]| {
        let ratios = rounds.iter().map(|round| round.evaluated / round.bare).collect();
        let text = format!(
            "{} of {}",
            per_second(median_of(rounds, |round| round.evaluated)),
            per_second(median_of(rounds, |round| round.bare))
        );
        Measurement::new(name, Unit::Ratio, ratios)
            .at_least(0.95)
            .computed_from(text)
    };
    let method = format!(
        "`certimix evaluate` reads images from a file, runs g once and h once (or {VOTES} votes with their noise), and writes the \
         records to a file. Its figure leaves out the loading of the models. The bare loop runs before it and after it, on as many \
         threads: g, then h, on one image or on 4 or 16 at once, or h alone on 16 rows for the votes. The fastest counts."
    );
    Ok(CaseReport {
        measurements: vec![
            measurement("evaluated pairs of rows a second, relative to bare pairs", &rows),
            measurement("evaluated votes a second, relative to bare rows", &votes),
        ],
        ..CaseReport::new(provenance, "Evaluation", method)
    })
}

/// Rows or votes a second, of both sides.
struct Round {
    evaluated: f64,
    bare: f64,
}

fn rounds(context: &BenchContext, models: ModelSet, settings: &[(&str, &str)]) -> anyhow::Result<Vec<Round>> {
    let (plan, testbed) = (&context.plan, &context.testbed);
    let folder = TempDir::new()?;
    let settings_file = testbed.write_settings(folder.path(), models, settings)?;
    let mut bare = testbed.open_bare_pairs(models)?;
    let is_smoothed = models == ModelSet::Smoothed;
    let mut best_bare = || -> anyhow::Result<f64> {
        let results: Vec<BareLoopResult> = match is_smoothed {
            true => vec![saturate_robust(&mut bare, 16, plan.window)?],
            false => BARE_BATCHES
                .iter()
                .map(|&batch| saturate_pairs(&mut bare, batch, plan.window))
                .collect::<anyhow::Result<_>>()?,
        };
        Ok(results.iter().map(|result| result.rate).fold(0.0, f64::max))
    };
    let mut before = best_bare()?;
    let votes_per_input = if is_smoothed { VOTES } else { 1.0 };
    let inputs = before * plan.window.as_secs_f64() * EVALUATION_WINDOWS / votes_per_input;
    let data = folder.path().join("images.bin");
    testbed.write_data_set(&data, inputs.ceil() as u64)?;
    let mut rounds = Vec::new();
    for round in 1..=plan.vote_rounds {
        let kind = if is_smoothed { "votes" } else { "rows" };
        let step = format!("evaluated {kind}, round {round} of {}", plan.vote_rounds);
        context.progress.set_step(&step);
        let evaluated = evaluate(&testbed.binary, &settings_file, &data)?;
        let after = best_bare()?;
        let rate = f64::midpoint(before, after);
        context.progress.print(format!(
            "{step}: {evaluated:.0}/s, bare {rate:.0}/s, ratio {:.3}",
            evaluated / rate
        ));
        rounds.push(Round { evaluated, bare: rate });
        before = after;
    }
    Ok(rounds)
}

/// Evaluates `data`, and returns the rows or votes a second that the command prints.
fn evaluate(binary: &Path, settings: &Path, data: &Path) -> anyhow::Result<f64> {
    let output = Command::new(binary)
        .args(["evaluate", "--json", "--overwrite", "--restart", "--config"])
        .arg(settings)
        .arg("--out")
        .arg(data.with_extension("parquet"))
        .arg(data)
        .output()?;
    if !output.status.success() {
        bail!("certimix evaluate: {}", String::from_utf8_lossy(&output.stderr));
    }
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    summary["rows_or_votes_per_second"]
        .as_f64()
        .context("the summary has no rows_or_votes_per_second")
}
