//! The arguments of `certimix evaluate`, and its steps.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::run_header::{run_header, start_of_run};
use super::service_args::ServiceArgs;
use super::summary::{Summary, summarise};
use super::tsv::TsvWriter;
use crate::classifier::{LoadError, OutputWorker};
use crate::cli::client::Services;
use crate::cli::output::{self, EXIT_CODES, SilentExit};
use crate::cli::progress_bar::DelayedProgressBar;
use crate::domain::InputSpec;
use crate::evaluation::{
    DataSet, DataSetIdentity, DataSetOptions, EvaluationHeader, OutputSource, Pipeline, RecordFileReader, RunFolder,
};
use crate::settings::{self, environment_variables};

const HELP: &str = "\
Examples:
  certimix evaluate test.npz --config config/cifar10.toml
  certimix evaluate test_batch.bin --config config/cifar10.toml --limit 1000
  certimix evaluate photos/ --config pair.toml --resize --out photos.parquet
  certimix evaluate states.csv --config pair.toml --tsv states.tsv
  certimix evaluate test.npz --endpoint 10.0.0.7:50051 --endpoint 10.0.0.8:50051

Runs both models of the settings in this process, without a server: the standard model once on each input, and the \
robust model once, or its votes if it is smoothed. With --endpoint, running services do that, as bulk work beside their \
traffic. All must serve the same models; what one does not answer, another one does. Writes one line an input to a Parquet file, with the outputs before \
they are mixed. Everything else follows from that file, for any alpha, temperature, fallback_alpha, method and failure \
probability.

DATA is one of these:
  .npz            an archive of arrays: the inputs, and their labels
  .npy            an array [N, ...], with --labels
  .bin            CIFAR-10 or CIFAR-100 in binary, or a folder of such files
  .csv, .parquet  vectors: a column for each value, and a column \"label\"
  a folder        images, in one subfolder for each class
Labels are numbers or names of the model's classes. uint8 stands for u / 255, as in requests. A row that the models do \
not accept is named, skipped and counted.

The command can be interrupted at any time, also by SIGKILL. The same command then goes on where it stopped: finished \
parts are in OUT.partial. The noise is drawn from a secret in the file, so the votes can be drawn again.";

/// Run both models over a labelled data set, and record their outputs
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = format!("{HELP}\n\n{EXIT_CODES}"))]
pub struct EvaluateArgs {
    /// The data set: .npz, .npy, .bin, .csv, .parquet, or a folder of images
    #[arg(value_name = "DATA")]
    pub data: PathBuf,

    /// The settings file, which names both models. Services have their own
    #[arg(
        long,
        value_name = "FILE",
        env = "CERTIMIX_CONFIG",
        hide_env_values = true,
        required_unless_present = "endpoints"
    )]
    pub config: Option<PathBuf>,

    /// Services instead of the settings file
    #[command(flatten)]
    pub services: ServiceArgs,

    /// The record file to write
    #[arg(long, value_name = "FILE", default_value = "results.parquet")]
    pub out: PathBuf,

    /// Estimation votes of a smoothed model for each input [default: certificate.predict_votes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=settings::MAX_VOTES))]
    pub votes: Option<u64>,

    /// Evaluate the first N inputs only
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,

    /// The label of each row: a .npy array, or a text with one name or number a line
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,

    /// The array of an .npz archive that holds the inputs
    #[arg(long, value_name = "NAME")]
    pub array: Option<String>,

    /// The array of an .npz archive that holds the labels
    #[arg(long, value_name = "NAME")]
    pub label_array: Option<String>,

    /// The subfolders of an image folder are the classes in their order, whatever their names
    #[arg(long)]
    pub sorted_classes: bool,

    /// Resize images to the size of the model. The certificates are about the resized images
    #[arg(long)]
    pub resize: bool,

    /// Also write the answers of the mixture in force, tab-separated: idx, label, predict, radius,
    /// correct, time
    #[arg(long, value_name = "FILE")]
    pub tsv: Option<PathBuf>,

    /// Replace the output if it exists
    #[arg(long)]
    pub overwrite: bool,

    /// Delete what an interrupted run has left, and start again
    #[arg(long)]
    pub restart: bool,

    /// Print the summary as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Evaluates a data set.
///
/// # Errors
/// When the settings, the models or the data set cannot be used, or a file cannot be written;
/// [`SilentExit`] with 1 when inputs were skipped.
pub fn run(args: &EvaluateArgs) -> anyhow::Result<()> {
    if args.out.exists() && !args.overwrite {
        bail!(
            "{} exists: use --overwrite to replace it, or another --out",
            args.out.display()
        );
    }
    if args.restart {
        RunFolder::delete(&args.out)?;
    }
    let folder = RunFolder::open(&args.out)?;
    match &args.config {
        Some(config) if args.services.endpoints.is_empty() => evaluate_here(args, config, folder),
        config => {
            if let Some(config) = config {
                output::note(format_args!(
                    "the services have their own settings: {} is not used",
                    config.display()
                ));
            }
            evaluate_on_services(args, folder)
        }
    }
}

/// Runs the models of the settings file at `config` in this process.
fn evaluate_here(args: &EvaluateArgs, config: &Path, folder: RunFolder) -> anyhow::Result<()> {
    let mut settings = settings::load(config, environment_variables())?;
    if let Some(started) = folder.header()? {
        // The last bits of an output may depend on the batch. So all parts have the same batches.
        settings.runtime.standard_batch_size = Some(started.environment.standard_batch_size);
        settings.runtime.robust_batch_size = Some(started.environment.robust_batch_size);
    }
    let (conditions, workers) = OutputWorker::load(&settings).map_err(LoadError::Invalid)?;
    let data = open_data(args, &conditions.spec, &conditions.labels)?;
    let mut noise_secret = [0; 32];
    getrandom::fill(&mut noise_secret).context("cannot read random bytes from the operating system for the noise")?;
    let votes = args.votes.unwrap_or(settings.certificate.predict_votes);
    let header = run_header(
        &settings,
        conditions,
        data_set_identity(args, &data)?,
        votes,
        noise_secret,
    );
    evaluate(args, folder, &data, header, workers)
}

/// Asks running services for the outputs of their models.
fn evaluate_on_services(args: &EvaluateArgs, folder: RunFolder) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let connections = args.services.connections();
    let services = runtime.block_on(Services::open(&connections, args.votes, start_of_run()))?;
    let data = open_data(args, services.spec(), services.labels())?;
    let header = services.header(data_set_identity(args, &data)?);
    let sources = services.sources(&header, runtime.handle());
    evaluate(args, folder, &data, header, sources)
}

/// Evaluates `data` with `workers`, and prints the summary.
fn evaluate<S: OutputSource>(
    args: &EvaluateArgs,
    mut folder: RunFolder,
    data: &DataSet,
    header: EvaluationHeader,
    workers: Vec<S>,
) -> anyhow::Result<()> {
    let header = folder.continued_header(header)?;
    let goal = match (data.rows(), args.limit) {
        (Some(rows), Some(limit)) => Some(rows.min(limit)),
        (rows, limit) => rows.or(limit),
    };
    let done = folder.summary().next_index;
    if done > 0 {
        output::note(format_args!("going on after {done} inputs of an interrupted run"));
    }
    let mut bar = DelayedProgressBar::new(goal.unwrap_or(0), "inputs");
    bar.start_at(done);
    let pipeline = Pipeline {
        data,
        header: &header,
        workers,
        end: args.limit,
    };
    let started = std::time::Instant::now();
    pipeline.run(&mut folder, |progress| bar.set_position(progress.inputs))?;
    let seconds = started.elapsed().as_secs_f64();
    drop(bar);
    let evaluated = folder.summary().next_index.saturating_sub(done);
    folder.merge(&header)?;
    let tsv = args.tsv.as_deref().map(TsvWriter::create).transpose()?;
    let summary = summarise(RecordFileReader::open(&args.out)?, tsv, evaluated, seconds)?;
    print(args, &summary)
}

fn open_data(args: &EvaluateArgs, spec: &InputSpec, labels: &[String]) -> anyhow::Result<DataSet> {
    let options = DataSetOptions {
        labels: args.labels.clone(),
        array: args.array.clone(),
        label_array: args.label_array.clone(),
        sorted_classes: args.sorted_classes,
        resize: args.resize,
    };
    Ok(DataSet::open(&args.data, options, spec, labels)?)
}

fn data_set_identity(args: &EvaluateArgs, data: &DataSet) -> anyhow::Result<DataSetIdentity> {
    let size = args.data.metadata().map_or(0, |metadata| metadata.len());
    let mut bar = DelayedProgressBar::new(size, "bytes of the data set");
    Ok(DataSetIdentity {
        name: args.data.display().to_string(),
        sha256: data.digest(|bytes| bar.advance(bytes))?,
    })
}

fn print(args: &EvaluateArgs, summary: &Summary) -> anyhow::Result<()> {
    if args.json {
        output::line(summary.to_json(&args.out))?;
    } else {
        print_text(&args.out, summary)?;
    }
    if summary.run.skipped > 0 {
        return Err(SilentExit(1).into());
    }
    Ok(())
}

fn print_text(out: &Path, summary: &Summary) -> anyhow::Result<()> {
    for skipped in summary.run.skipped_inputs.iter().take(10) {
        output::error(format_args!("{}: {}", skipped.name, skipped.reason));
    }
    if summary.run.skipped > 10 {
        output::error(format_args!(
            "{} more inputs were skipped; --json and the metadata of the file name up to a thousand",
            summary.run.skipped - 10
        ));
    }
    output::line(format_args!("{}: {}", out.display(), summary.headline()))?;
    output::table(summary.table())
}
