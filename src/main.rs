//! Parses the command line and runs the selected command.

use std::process::ExitCode;

use certimix::cli;
use clap::Parser as _;

fn main() -> ExitCode {
    cli::run(cli::Cli::parse())
}
