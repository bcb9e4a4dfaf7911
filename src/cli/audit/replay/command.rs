//! `certimix replay`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;

use anyhow::{Context as _, anyhow, bail};

use super::matching::{check_model, match_inputs, read_inputs};
use crate::certificate::Tally;
use crate::classifier::VoteReplayer;
use crate::cli::audit::comparison::{FieldComparison, all_hold, comparison_table};
use crate::cli::audit::mixture_verifier::compare_mixture;
use crate::cli::audit::record_file::read_records;
use crate::cli::audit::record_limits::check_limits;
use crate::cli::client::{ModelInput, PredictionRecord};
use crate::cli::output::{self, EXIT_CODES, SilentExit};
use crate::cli::progress_bar::DelayedProgressBar;
use crate::domain;
use crate::onnx::Manifest;
use crate::rpc::proto::DataType;
use crate::settings::{self, MAX_BATCH_SIZE, Settings};

const HELP: &str = "\
A certificate names its input, its models and the key of its noise. The command checks all three, draws the same votes \
again, and compares the counts. It recomputes the weight and the mixed logits as `certimix verify` does. The settings must name the server's robust model and its execution provider. A certificate \
with more votes than their certificate.max_votes is refused. A model may round differently on other hardware, and a few votes may then differ although the certificate is genuine.

Example:
  certimix predict cat.png --json > cat.json
  certimix replay cat.json --input cat.png";

/// Draw the votes behind a certificate again, and compare them
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = format!("{HELP}\n\n{EXIT_CODES}"))]
pub struct ReplayArgs {
    /// Output of `certimix predict --json` or `certimix certify --json`; - for stdin
    #[arg(value_name = "CERTIFICATE")]
    pub certificate: PathBuf,

    /// The input, an image or a .npy file. Only the certificates of this input are replayed
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,

    /// The server's settings file
    #[arg(
        long,
        value_name = "FILE",
        env = "CERTIMIX_CONFIG",
        hide_env_values = true,
        default_value = "config/cifar10-smoothed.toml"
    )]
    pub config: PathBuf,
}

/// Replays the certificates of the input.
///
/// # Errors
/// When a file cannot be read, or the input or the model is not that of the certificate;
/// [`SilentExit`] with 1 when votes, deductions or the mixture differ.
pub fn run(args: &ReplayArgs) -> anyhow::Result<()> {
    let records = read_records(&args.certificate)?;
    let variables =
        std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
    let settings = settings::load(&args.config, variables)?;
    let manifest = Manifest::read(&settings.models.robust)?;
    let is_resized = records.iter().any(|record| record.resized);
    let inputs = read_inputs(&args.input, &manifest, is_resized)?;
    let pairs = match_inputs(records, &inputs).with_context(|| format!("--input {}", args.input.display()))?;
    for (record, _) in &pairs {
        check_model(record, &manifest)?;
        check_limits(record)
            .and_then(|()| check_vote_budget(record, settings.certificate.max_votes))
            .with_context(|| record.file.clone())?;
    }
    let mut counters: BTreeMap<usize, VoteReplayer> = BTreeMap::new();
    let mut total = ReplayResult::ALL_HOLD;
    for (record, input) in &pairs {
        let counter = match counters.entry(batch_size(record)?) {
            Entry::Occupied(loaded) => loaded.into_mut(),
            Entry::Vacant(missing) => {
                let counter = load_counter(&settings, *missing.key())?;
                missing.insert(counter)
            }
        };
        total = total.and(replay(record, input, counter)?);
    }
    output::line(total.summary())?;
    if total == ReplayResult::ALL_HOLD {
        return Ok(());
    }
    Err(SilentExit(1).into())
}

/// The result of one replay, or of several together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ReplayResult {
    /// Whether the votes are equal to the served votes.
    votes_match: bool,
    /// Whether the certificate subtracts at least the required losses for the grid and the noise
    /// table.
    deductions_suffice: bool,
    /// Whether the weight and the mixed logits are those that the record's own values give.
    mixture_holds: bool,
}

impl ReplayResult {
    const ALL_HOLD: Self = Self {
        votes_match: true,
        deductions_suffice: true,
        mixture_holds: true,
    };

    fn and(self, other: Self) -> Self {
        Self {
            votes_match: self.votes_match && other.votes_match,
            deductions_suffice: self.deductions_suffice && other.deductions_suffice,
            mixture_holds: self.mixture_holds && other.mixture_holds,
        }
    }

    fn summary(self) -> &'static str {
        match (self.votes_match, self.deductions_suffice, self.mixture_holds) {
            (true, true, true) => "the votes are the same",
            (true, true, false) => "the votes are the same, but the weight or the mixed logits are not",
            (true, false, _) => {
                "the votes are the same, but too little is subtracted: a float32 certificate of an older server is valid \
                 for perturbed inputs on the grid alone"
            }
            (false, ..) => {
                "the votes differ: check that the execution provider and the kind of processor are those of the server"
            }
        }
    }
}

fn load_counter(settings: &Settings, batch_size: usize) -> anyhow::Result<VoteReplayer> {
    VoteReplayer::load(&settings.models.robust, &settings.runtime, batch_size).context("cannot load the robust model")
}

/// The batch size that the certificate names.
fn batch_size(record: &PredictionRecord) -> anyhow::Result<usize> {
    let batch_size = usize::try_from(record.certificate.batch_size).unwrap_or(0);
    if !(1..=MAX_BATCH_SIZE).contains(&batch_size) {
        bail!(
            "{}: batch_size is {batch_size}, expected 1 to {MAX_BATCH_SIZE}",
            record.file
        );
    }
    Ok(batch_size)
}

/// Checks that the server of the settings could have drawn the votes. Their number decides how long a
/// replay takes.
fn check_vote_budget(record: &PredictionRecord, max_votes: u64) -> anyhow::Result<()> {
    let votes = record.certificate.votes;
    if votes > max_votes {
        bail!("votes is {votes}, expected at most {max_votes}, the value of certificate.max_votes in the settings");
    }
    Ok(())
}

/// Draws the votes of one certificate again, and prints the comparison.
fn replay(record: &PredictionRecord, input: &ModelInput, counter: &mut VoteReplayer) -> anyhow::Result<ReplayResult> {
    let certificate = &record.certificate;
    if certificate.votes == 0 {
        bail!("{}: votes is 0, so there is nothing to replay", record.file);
    }
    let mixture = compare_mixture(record).map_err(|error| anyhow!("{}: {error}", record.file))?;
    let key = parse_noise_key(&certificate.noise_key)?;
    let values = server_values(input);
    let total_votes = certificate.selection_votes.saturating_add(certificate.votes);
    let mut progress = DelayedProgressBar::new(total_votes, "votes");
    let drawn = counter.count(
        &values,
        key,
        certificate.selection_votes,
        certificate.votes,
        |completed| progress.set_position(completed),
    );
    drop(progress);
    let (class, tally) = drawn.map_err(|error| anyhow!("{}: {error}", record.file))?;
    let (snapping_loss, total_variation) = counter
        .deductions(&values)
        .map_err(|error| anyhow!("{}: {error}", record.file))?;
    let votes = compare_votes(record, class, tally);
    let deductions = [
        FieldComparison::at_least("snapping_loss", certificate.snapping_loss, snapping_loss, 0.0),
        FieldComparison::at_least("total_variation", certificate.total_variation, total_variation, 0.0),
    ];
    let result = ReplayResult {
        votes_match: all_hold(&votes),
        deductions_suffice: all_hold(&deductions),
        mixture_holds: all_hold(&mixture),
    };
    let comparisons: Vec<FieldComparison> = votes.into_iter().chain(deductions).chain(mixture).collect();
    output::line(format_args!(
        "{}: {}, {} votes",
        record.file,
        record.class_text(),
        certificate.votes
    ))?;
    output::table(comparison_table(&comparisons, "recomputed"))?;
    Ok(result)
}

/// Compares the served counts with those that were drawn again.
fn compare_votes(record: &PredictionRecord, class: usize, drawn: Tally) -> Vec<FieldComparison> {
    let served = record.certificate.estimation_tally();
    let mut comparisons = Vec::new();
    // Without a certificate, the record names the mixture's class, but the counts are those of the
    // selected class.
    if record.is_certified() {
        comparisons.push(FieldComparison::equal(
            "class_index",
            &u64::from(record.class_index),
            &(class as u64),
        ));
    }
    comparisons.extend([
        FieldComparison::equal("votes", &served.votes, &drawn.votes),
        FieldComparison::equal("votes_for_class", &served.votes_for_class, &drawn.votes_for_class),
        FieldComparison::equal(
            "votes_for_runner_up",
            &served.votes_for_runner_up,
            &drawn.votes_for_runner_up,
        ),
    ]);
    comparisons
}

/// The input's values as the server read them.
fn server_values(input: &ModelInput) -> domain::Input {
    let encoding = match input.dtype {
        DataType::Uint8 => domain::ValueEncoding::UInt8,
        _ => domain::ValueEncoding::Float32,
    };
    domain::Input::new(input.data.clone().into(), encoding)
}

/// Parses 32 bytes from hexadecimal digits.
fn parse_noise_key(text: &str) -> anyhow::Result<[u8; 32]> {
    domain::bytes_of_hex(text).with_context(|| format!("noise_key is {text:?}, expected 64 hexadecimal digits"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::audit::test_records::certified_record;
    use crate::cli::client::Conversions;

    #[test]
    fn equal_votes_hold_and_other_votes_differ() {
        let mut record = certified_record();
        let tally = record.certificate.estimation_tally();
        assert!(all_hold(&compare_votes(&record, 3, tally)));
        assert!(!all_hold(&compare_votes(&record, 4, tally)));
        assert!(!all_hold(&compare_votes(
            &record,
            3,
            Tally {
                votes_for_class: tally.votes_for_class - 1,
                ..tally
            }
        )));
        record.certificate.status = "abstained".into();
        assert!(all_hold(&compare_votes(&record, 4, tally)));
    }

    #[test]
    fn the_summary_distinguishes_votes_from_deductions() {
        let summary = |votes_match, deductions_suffice, mixture_holds| {
            let result = ReplayResult {
                votes_match,
                deductions_suffice,
                mixture_holds,
            };
            result.and(ReplayResult::ALL_HOLD).summary()
        };
        assert_eq!(summary(true, true, true), "the votes are the same");
        assert!(summary(true, true, false).contains("mixed logits"));
        assert!(summary(true, false, true).contains("on the grid alone"));
        assert!(summary(false, true, true).contains("the votes differ"));
    }

    #[test]
    fn more_votes_than_the_server_draws_are_refused() {
        let record = certified_record();
        assert!(check_vote_budget(&record, 1000).is_ok());
        let error = check_vote_budget(&record, 999).unwrap_err().to_string();
        assert!(error.starts_with("votes is 1000, expected at most 999"), "{error}");
    }

    #[test]
    fn noise_keys_are_64_hexadecimal_digits() -> anyhow::Result<()> {
        assert_eq!(parse_noise_key(&"0f".repeat(32))?, [15; 32]);
        for wrong in [String::new(), "0f".repeat(31), "0g".repeat(32), "é".repeat(32)] {
            assert!(parse_noise_key(&wrong).is_err(), "{wrong}");
        }
        Ok(())
    }

    #[test]
    fn values_equal_those_of_the_server() {
        let mut input = ModelInput {
            name: "x".into(),
            dtype: DataType::Uint8,
            shape: vec![1],
            data: vec![255, 0, 51, 1],
            conversions: Conversions::default(),
        };
        assert_eq!(server_values(&input).values(), [1.0, 0.0, 0.2, 1.0 / 255.0]);
        (input.dtype, input.data) = (DataType::Float32, 1.5_f32.to_le_bytes().to_vec());
        assert_eq!(server_values(&input).values(), [1.5]);
    }
}
