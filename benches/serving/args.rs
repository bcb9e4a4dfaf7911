//! The command line after `--`.

use std::path::PathBuf;

use clap::Parser;

/// The server against the runtime underneath: every case of docs/benchmarks.md.
#[derive(Debug, Parser)]
#[command(name = "serving", override_usage = "cargo bench --bench serving -- [OPTIONS]")]
pub struct Args {
    /// Short rounds and a soak of 20 seconds, to see that it works; writes under target/
    #[arg(long)]
    pub quick: bool,
    /// These cases alone, such as a,h; the others keep what was written of them before
    #[arg(long, value_delimiter = ',', value_parser = known_case)]
    pub only: Vec<String>,
    /// Where benchmarks.md and benchmarks.json go: docs, or target/benchmarks after a quick run
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Another certimix binary than the one of this build
    #[arg(long)]
    pub server: Option<PathBuf>,
    /// Runs the server of case c that answers at once with the response in this file
    #[arg(long, hide = true)]
    pub echo: Option<PathBuf>,
    /// `cargo bench` passes it, `cargo test` does not
    #[arg(long, hide = true)]
    pub bench: bool,
}

fn known_case(text: &str) -> Result<String, String> {
    let known = crate::cases::ALL.iter().any(|(letter, _)| *letter == text);
    known
        .then(|| text.to_owned())
        .ok_or_else(|| "the cases are a to i".to_owned())
}
