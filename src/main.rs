//! Parses the command line and runs the selected command.

use std::process::ExitCode;

use certimix::cli;
use tikv_jemallocator::Jemalloc;

/// Gives memory back to the operating system after a peak of requests. The allocator of glibc keeps
/// it.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    cli::run(cli::Cli::from_arguments())
}
