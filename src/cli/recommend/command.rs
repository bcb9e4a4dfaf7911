//! The arguments of `certimix recommend`, and the order of its work.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::Context as _;

use super::json::recommendation_json;
use super::text::print_recommendation;
use crate::cli::output::{self, SilentExit};
use crate::cli::progress_bar::DelayedProgressBar;
use crate::evaluation::recommend::{Costs, Objective, Recommendation, expected_answers, recommend};
use crate::evaluation::recompute::{Recomputation, Setting};
use crate::evaluation::{EvaluationHeader, EvaluationRecords, EvaluationSettings};
use crate::settings::{SettingsSource, environment_variables};

/// The exit code if no setting fits.
const NO_SETTING_FITS: u8 = 3;

const HELP: &str = "\
Examples:
  certimix recommend results.parquet --min-clean-accuracy 0.92 --radius 0.25
  certimix recommend results.parquet --min-certified 0.3 --radius 0.25
  certimix recommend results.parquet --min-clean-accuracy 0.9 \\
    --max-p99-votes 150
  certimix recommend results.parquet --radius 0.25 \\
    --costs right=1,abstained=1,wrong=20,wrong-certified=50
  certimix recommend results.parquet --min-clean-accuracy 0.92 --radius 0.25 \\
    --config config/cifar10.toml --json | jq .recommended.setting

RESULTS is a file of `certimix evaluate`. It holds the outputs of both models, so
nothing runs here: every answer is recomputed, with the class and the radius that
the server would give.

The objective:
  --min-clean-accuracy alone   the most answers that are right and certified
  --min-certified alone        the most right answers
  both                         the most right and certified answers
  --costs                      the smallest mean cost of an answer
\"Certified\" means a radius of at least --radius; without it, any radius. The
constraints that are given hold in every case.

The inputs are divided by a hash of their names. One half is searched: alpha,
fallback_alpha and the temperature together, first on a coarse grid, then on
finer ones. Every interval, test and verdict comes from the other half, which
the search has not seen, so the search cannot make it too good. The intervals
are exact (Clopper-Pearson), and hold together with the --confidence.

  mended, broken  inputs that are good with the recommended setting and not with
                  the one in force, and the reverse
  p               of McNemar's exact test: small if mended and broken differ by
                  more than chance
  confirmed       the whole interval keeps the constraint
  undecided       the interval has values on both sides of it
  refuted         the whole interval misses it: the setting does not fit

Exit codes:
  0    a setting fits
  1    an error
  2    wrong usage
  3    no setting fits; the nearest one is printed
  130  interrupted (Ctrl-C)";

/// Choose alpha, fallback_alpha and the temperature from the results of an evaluation
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = HELP)]
// The line that clap writes itself has 132 columns.
#[command(override_usage = "certimix recommend [OPTIONS] OBJECTIVE... <RESULTS.parquet>")]
#[command(group = clap::ArgGroup::new("objective").required(true).multiple(true)
    .args(["min_clean_accuracy", "min_certified", "costs"]))]
pub struct RecommendArgs {
    /// The results of `certimix evaluate`
    #[arg(value_name = "RESULTS.parquet")]
    results: PathBuf,

    /// The smallest share of right answers, from 0 to 1
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    min_clean_accuracy: Option<f64>,

    /// The smallest share of answers that are right and certified, from 0 to 1
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    min_certified: Option<f64>,

    /// The radius at which an answer counts as certified, in the units of the float input
    #[arg(long, value_name = "RADIUS", value_parser = parse_radius)]
    radius: Option<f64>,

    /// The most votes that 99 of 100 answers may take, selection votes included
    #[arg(long, value_name = "VOTES")]
    max_p99_votes: Option<u64>,

    /// The cost of each kind of answer: right-certified, right, wrong, wrong-certified, and
    /// abstained, which is added to every answer without a certificate
    #[arg(long, value_name = "KIND=COST,...", value_parser = Costs::parse)]
    costs: Option<Costs>,

    /// Compare with the settings of this file [default: those of the evaluation]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Compare with this alpha
    #[arg(long, value_name = "WEIGHT")]
    alpha: Option<f64>,

    /// Compare with this fallback_alpha
    #[arg(long, value_name = "WEIGHT")]
    fallback_alpha: Option<f64>,

    /// Compare with this temperature of the robust model
    #[arg(long, value_name = "T")]
    robust_temperature: Option<f64>,

    /// How sure all intervals together are, from 0.5 to 0.999999
    #[arg(long, value_name = "SHARE", default_value_t = 0.95)]
    confidence: f64,

    /// Print one JSON object instead
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a number from 0 to 1, such as 0.92".to_owned()),
    }
}

pub(in crate::cli) fn parse_radius(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(radius) if radius > 0.0 && radius <= 1e6 => Ok(radius),
        _ => Err("expected a positive number, such as 0.25".to_owned()),
    }
}

/// Recommends a setting.
///
/// # Errors
/// When the results cannot be read or have too few labels. Exit code 3 if no setting fits.
pub fn run(args: &RecommendArgs) -> anyhow::Result<()> {
    let (mut header, records) = EvaluationRecords::read(&args.results)?;
    let mut guard_rails = None;
    if let Some(config) = &args.config {
        let (settings, accepted) = settings_in_force(config)?;
        (header.settings, guard_rails) = (settings, Some(accepted));
    }
    let recomputation = Recomputation::new(&header, &records).with_context(|| args.results.display().to_string())?;
    let in_force = in_force(args, recomputation.in_force())?;
    let recommendation = search(args, guard_rails, &header, &recomputation, &in_force)?;
    if args.json {
        output::line(recommendation_json(&header, &recommendation))?;
    } else {
        print_recommendation(&args.results, args.config.as_deref(), &header, &recommendation)?;
    }
    if recommendation.fits {
        Ok(())
    } else {
        Err(SilentExit(NO_SETTING_FITS).into())
    }
}

/// Searches with a progress bar.
fn search(
    args: &RecommendArgs,
    guard_rails: Option<(f64, f64)>,
    header: &EvaluationHeader,
    recomputation: &Recomputation<'_>,
    in_force: &Setting,
) -> anyhow::Result<Recommendation> {
    let objective = Objective {
        radius: args.radius,
        min_clean_accuracy: args.min_clean_accuracy,
        min_certified: args.min_certified,
        max_p99_votes: args.max_p99_votes,
        guard_rails,
        costs: args.costs,
    };
    let bar = Mutex::new(DelayedProgressBar::new(expected_answers(recomputation), "answers"));
    let progress = |answers| {
        if let Ok(mut bar) = bar.lock() {
            bar.advance(answers);
        }
    };
    Ok(recommend(
        header,
        recomputation,
        &objective,
        in_force,
        args.confidence,
        &progress,
    )?)
}

/// What an evaluation depends on in the settings file `config`, and the weights that the server
/// accepts.
///
/// # Errors
/// When the file cannot be read, or has an error.
pub(in crate::cli) fn settings_in_force(config: &Path) -> anyhow::Result<(EvaluationSettings, (f64, f64))> {
    let source = SettingsSource::new(config, environment_variables());
    let settings = source.parse(&source.read()?)?;
    Ok((EvaluationSettings::of(&settings), settings.tuning.guard_rails))
}

/// The setting in force, with the values of the command line. A fallback weight that follows alpha
/// goes on to follow it.
fn in_force(args: &RecommendArgs, base: Setting) -> anyhow::Result<Setting> {
    let alpha = args.alpha.unwrap_or(base.alpha());
    let follows = base.mixture.weights.is_constant();
    let fallback_alpha = match args.fallback_alpha {
        Some(weight) => weight,
        None if follows => alpha,
        None => base.fallback_alpha().min(alpha),
    };
    let temperature = args.robust_temperature.unwrap_or(base.robust_temperature());
    Ok(base.with_mixture(alpha, fallback_alpha, temperature)?)
}
