//! `certimix replay`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;

use anyhow::{Context as _, anyhow, bail};

use crate::certificate::Tally;
use crate::classifier::VoteReplayer;
use crate::cli::audit::comparison as check;
use crate::cli::audit::comparison::Check;
use crate::cli::audit::record_file as certificates;
use crate::cli::audit::verify::certificate_verifier::tally;
use crate::cli::client::{self, Record};
use crate::cli::output::{self, EXIT_CODES, Exit};
use crate::cli::progress_bar::Progress;
use crate::domain;
use crate::onnx::Manifest;
use crate::rpc::proto::DataType;
use crate::settings::{self, MAX_BATCH_SIZE, Settings};

const HELP: &str = "\
The certificate names its input, its models and the key of its noise. All three are checked, then the same votes are drawn \
again and counted. The settings must name the robust model of that server and its execution provider: a model on other \
hardware may round otherwise, and a few votes may then differ without any fraud.

Example:
  certimix predict cat.png --json > cat.json && certimix replay cat.json --input cat.png";

/// Draw the votes behind a certificate again
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = format!("{HELP}\n\n{EXIT_CODES}"))]
pub struct ReplayArgs {
    /// What `certimix predict --json` or `certimix certify --json` printed; - for stdin
    #[arg(value_name = "CERTIFICATE")]
    pub certificate: PathBuf,

    /// The input: an image or a .npy file. Of a certificate with several lines, those about this input are replayed
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,

    /// The server's settings
    #[arg(
        long,
        value_name = "FILE",
        env = "CERTIMIX_CONFIG",
        hide_env_values = true,
        default_value = "config/cifar10.toml"
    )]
    pub config: PathBuf,
}

/// Draws the votes again.
///
/// # Errors
/// When a file cannot be read, or input or model are not those of the certificate; [`Exit`] with 1 when votes differ.
pub fn run(args: &ReplayArgs) -> anyhow::Result<()> {
    let records = certificates::read(&args.certificate)?;
    let variables =
        std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
    let settings = settings::load(&args.config, variables)?;
    let manifest = Manifest::read(&settings.models.robust)?;
    let pairs = pairs(args, records, &manifest)?;
    for (record, _) in &pairs {
        check_model(record, &manifest)?;
    }
    let mut counters: BTreeMap<usize, VoteReplayer> = BTreeMap::new();
    let mut all = Replayed::ALL_HOLDS;
    for (record, input) in &pairs {
        let counter = match counters.entry(batch_size(record)?) {
            Entry::Occupied(loaded) => loaded.into_mut(),
            Entry::Vacant(missing) => {
                let counter = load(&settings, *missing.key())?;
                missing.insert(counter)
            }
        };
        all = all.and(replay(record, input, counter)?);
    }
    output::line(all.summary())?;
    if all == Replayed::ALL_HOLDS {
        return Ok(());
    }
    Err(Exit(1).into())
}

/// What a replay found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Replayed {
    /// Whether the votes are those that were served.
    votes: bool,
    /// Whether as much was taken off for the grid and the noise table as must be.
    deductions: bool,
}

impl Replayed {
    const ALL_HOLDS: Self = Self {
        votes: true,
        deductions: true,
    };

    fn and(self, other: Self) -> Self {
        Self {
            votes: self.votes && other.votes,
            deductions: self.deductions && other.deductions,
        }
    }

    fn summary(self) -> &'static str {
        match (self.votes, self.deductions) {
            (true, true) => "the votes are the same",
            (true, false) => {
                "the votes are the same, but too little is taken off: a float32 certificate of an older server speaks of \
                 perturbed inputs on the grid alone"
            }
            (false, _) => "the votes differ: is it the same execution provider, on the same kind of processor?",
        }
    }
}

fn load(settings: &Settings, batch_size: usize) -> anyhow::Result<VoteReplayer> {
    VoteReplayer::load(&settings.models.robust, &settings.runtime, batch_size).context("cannot load the robust model")
}

/// The batch shape that the certificate names.
fn batch_size(record: &Record) -> anyhow::Result<usize> {
    let named = usize::try_from(record.certificate.batch_size).unwrap_or(0);
    if !(1..=MAX_BATCH_SIZE).contains(&named) {
        bail!(
            "{}: batch_size is {named}, expected 1 to {MAX_BATCH_SIZE}: the certificate must name it",
            record.file
        );
    }
    Ok(named)
}

/// The certificates that are about the given input, each with it.
fn pairs(args: &ReplayArgs, records: Vec<Record>, manifest: &Manifest) -> anyhow::Result<Vec<(Record, client::Input)>> {
    let spec = client::InputSpec {
        shape: manifest.input.shape.clone(),
        accepts_uint8: manifest.input.accepts_uint8(),
        low: manifest.input.low,
        high: manifest.input.high,
    };
    let resize = records.iter().any(|record| record.resized);
    let inputs = client::read_file(&args.input, &spec, resize)?;
    let claimed: Vec<String> = records.iter().map(|record| record.input_sha256.clone()).collect();
    let matching = |record: Record| {
        let input = inputs
            .iter()
            .find(|input| input.sha256() == record.input_sha256)?
            .clone();
        Some((record, input))
    };
    let pairs: Vec<_> = records.into_iter().filter_map(matching).collect();
    if pairs.is_empty() {
        let found: Vec<String> = inputs.iter().map(client::Input::sha256).collect();
        bail!(
            "{} is not the input of this certificate: its values have the SHA-256 {}, the certificate says {}",
            args.input.display(),
            few(&found),
            few(&claimed)
        );
    }
    Ok(pairs)
}

/// The first of some hashes, and how many more there are.
fn few(hashes: &[String]) -> String {
    match hashes {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

/// Whether the settings name the model that the certificate is about.
fn check_model(record: &Record, manifest: &Manifest) -> anyhow::Result<()> {
    let claimed = &record.provenance.robust_model_sha256;
    if *claimed != manifest.sha256 {
        bail!(
            "the certificate is about the robust model {claimed}, the settings name {} ({})",
            manifest.sha256,
            manifest.path.display()
        );
    }
    if let domain::Guarantee::GaussianSmoothing { sigma, .. } = manifest.guarantee
        && sigma.to_bits() != record.certificate.sigma.to_bits()
    {
        bail!(
            "the certificate's noise has sigma {}, the manifest says {sigma}",
            record.certificate.sigma
        );
    }
    Ok(())
}

fn replay(record: &Record, input: &client::Input, counter: &mut VoteReplayer) -> anyhow::Result<Replayed> {
    let certificate = &record.certificate;
    if certificate.votes == 0 {
        bail!(
            "{}: no estimation votes were drawn, there is nothing to replay",
            record.file
        );
    }
    let key = key(&certificate.noise_key)?;
    let mut progress = Progress::new(certificate.selection_votes.saturating_add(certificate.votes), "votes");
    let drawn = counter.count(
        &values(input),
        key,
        certificate.selection_votes,
        certificate.votes,
        |done| progress.set(done),
    );
    drop(progress);
    let (class, found) = drawn.map_err(|why| anyhow!("{}: {why}", record.file))?;
    let (snapping_loss, total_variation) = counter
        .deductions(&values(input))
        .map_err(|why| anyhow!("{}: {why}", record.file))?;
    let votes = compare(record, class, found);
    let deductions = [
        Check::at_least("snapping_loss", certificate.snapping_loss, snapping_loss, 0.0),
        Check::at_least("total_variation", certificate.total_variation, total_variation, 0.0),
    ];
    let replayed = Replayed {
        votes: check::all_hold(&votes),
        deductions: check::all_hold(&deductions),
    };
    let checks: Vec<Check> = votes.into_iter().chain(deductions).collect();
    output::line(format_args!(
        "{}: {}, {} votes",
        record.file, record.label, certificate.votes
    ))?;
    output::line(check::table(&checks, "drawn again"))?;
    Ok(replayed)
}

/// The counts that were served beside those that were drawn again.
fn compare(record: &Record, class: usize, found: Tally) -> Vec<Check> {
    let served = tally(record);
    let mut checks = Vec::new();
    // Without a certificate the class is the mixture's, and the counts are about the one that the selection chose.
    if record.is_certified() {
        checks.push(Check::equal(
            "class_index",
            &u64::from(record.class_index),
            &(class as u64),
        ));
    }
    checks.push(Check::equal("votes", &served.votes, &found.votes));
    checks.push(Check::equal(
        "votes_for_class",
        &served.votes_for_class,
        &found.votes_for_class,
    ));
    checks.push(Check::equal(
        "votes_for_runner_up",
        &served.votes_for_runner_up,
        &found.votes_for_runner_up,
    ));
    checks
}

/// The values as the server read them.
fn values(input: &client::Input) -> domain::Input {
    let written_as = match input.dtype {
        DataType::Uint8 => domain::ValueEncoding::UInt8,
        _ => domain::ValueEncoding::Float32,
    };
    domain::Input::new(input.data.clone().into(), written_as)
}

/// 32 bytes from hexadecimal.
fn key(text: &str) -> anyhow::Result<[u8; 32]> {
    domain::bytes_of_hex(text).with_context(|| format!("noise_key {text:?} is not 64 hexadecimal digits"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::audit::comparison::all_hold;
    use crate::cli::audit::verify::certificate_verifier::tests::example;

    #[test]
    fn the_same_votes_and_others() {
        let mut record = example();
        let found = tally(&record);
        assert!(all_hold(&compare(&record, 3, found)));
        assert!(!all_hold(&compare(&record, 4, found)));
        assert!(!all_hold(&compare(
            &record,
            3,
            Tally {
                votes_for_class: found.votes_for_class - 1,
                ..found
            }
        )));
        record.certificate.status = "abstained".into();
        assert!(all_hold(&compare(&record, 4, found)));
    }

    #[test]
    fn the_summary_tells_other_votes_from_too_little_taken_off() {
        let summary = |votes, deductions| Replayed { votes, deductions }.and(Replayed::ALL_HOLDS).summary();
        assert_eq!(summary(true, true), "the votes are the same");
        assert!(summary(true, false).contains("on the grid alone"));
        assert!(summary(false, true).contains("the votes differ"));
    }

    #[test]
    fn keys() -> anyhow::Result<()> {
        assert_eq!(key(&"0f".repeat(32))?, [15; 32]);
        for wrong in [String::new(), "0f".repeat(31), "0g".repeat(32), "é".repeat(32)] {
            assert!(key(&wrong).is_err(), "{wrong}");
        }
        Ok(())
    }

    #[test]
    fn values_are_read_as_the_server_reads_them() {
        let mut input = client::Input {
            name: "x".into(),
            dtype: DataType::Uint8,
            shape: vec![1],
            data: vec![255, 0, 51, 1],
            resized: false,
        };
        assert_eq!(values(&input).values(), [1.0, 0.0, 0.2, 1.0 / 255.0]);
        (input.dtype, input.data) = (DataType::Float32, 1.5_f32.to_le_bytes().to_vec());
        assert_eq!(values(&input).values(), [1.5]);
    }
}
