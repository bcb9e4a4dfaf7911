//! Parses the command line and runs the selected command.

use std::process::ExitCode;

use certimix::cli;

fn main() -> ExitCode {
    cli::run(cli::Cli::from_arguments())
}
