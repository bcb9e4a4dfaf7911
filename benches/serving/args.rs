//! The command line after `--`.

use std::path::PathBuf;

use clap::Parser;

use crate::cases::CASES;

/// Compares the server with ONNX Runtime alone: every case of docs/benchmarks.md.
#[derive(Debug, Parser)]
#[command(name = "serving", override_usage = "cargo bench --bench serving -- [OPTIONS]")]
pub struct Args {
    /// Short rounds and a soak of 20 seconds, to check that the benchmark works; writes under target/
    #[arg(long)]
    pub quick: bool,
    /// Measure these cases only, such as a,h; the report keeps its earlier figures of the others
    #[arg(long, value_delimiter = ',', value_parser = known_case)]
    pub only: Vec<String>,
    /// The folder of benchmarks.md and benchmarks.json [default: docs; with --quick,
    /// target/benchmarks]
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Another certimix binary than the one of this build
    #[arg(long)]
    pub server: Option<PathBuf>,
    /// Measure nothing: write benchmarks.md again from benchmarks.json
    #[arg(long)]
    pub render: bool,
    /// Run the echo server of case c, which answers with the response in this file
    #[arg(long, hide = true)]
    pub echo: Option<PathBuf>,
    /// `cargo bench` passes this flag, `cargo test` does not
    #[arg(long, hide = true)]
    pub bench: bool,
}

fn known_case(text: &str) -> Result<String, String> {
    let known = CASES.iter().any(|(letter, _)| *letter == text);
    known.then(|| text.to_owned()).ok_or_else(|| {
        let letters: Vec<&str> = CASES.iter().map(|(letter, _)| *letter).collect();
        format!("the cases are {}", letters.join(", "))
    })
}
