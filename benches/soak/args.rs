//! The command line after `--`.

use std::path::PathBuf;

use clap::Parser;

/// Runs the server for an hour under honest and abusive load, and judges whether it stays flat.
///
/// The server is the release binary on the bundled models. Honest callers send requests at a rate
/// that the server can bear. Meanwhile attacks take turns, settings and tokens change, and models
/// are swapped. Every cycle ends with a quiet phase, in which memory, threads, descriptors and
/// latencies are compared. The command ends with an error if the server fails a rule of the report.
#[derive(Debug, Parser)]
#[command(name = "soak", override_usage = "cargo bench --bench soak -- [OPTIONS]")]
pub struct Args {
    /// The length of the run; a run of under 5 minutes is too short to judge
    #[arg(long, default_value_t = 60.0, value_parser = minutes)]
    pub minutes: f64,
    /// Run these attacks only, by a part of their names, such as prefix,flood; `none` for no attack
    #[arg(long, value_delimiter = ',')]
    pub attacks: Vec<String>,
    /// The seed of the order of the attacks
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Stop the server and end the run if its resident memory exceeds this many MiB
    #[arg(long, default_value_t = 6144.0)]
    pub memory_limit: f64,
    /// The folder of soak.md, soak.json and soak.svg [default: docs for a run of an hour or more,
    /// target/soak for a shorter one]
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Another certimix binary than the one of this build
    #[arg(long)]
    pub server: Option<PathBuf>,
    /// Run nothing: write soak.md and soak.svg again from soak.json
    #[arg(long)]
    pub render: bool,
    /// `cargo bench` passes this flag, `cargo test` does not
    #[arg(long, hide = true)]
    pub bench: bool,
}

fn minutes(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "expected a number of minutes".to_owned())?;
    if (0.5..=10_080.0).contains(&value) {
        Ok(value)
    } else {
        Err("expected 0.5 to 10080 minutes".to_owned())
    }
}
