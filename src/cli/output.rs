//! The only module that writes to stdout and stderr, and the exit codes.
//!
//! Results go to stdout. Progress, advice and errors go to stderr. A closed pipe
//! (`certimix ... | head`) is not an error: the command ends silently.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

/// The exit codes of every command, for its `--help`.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  success
  1  an error, or a result that does not hold
  2  wrong usage, or (verify) a certificate that cannot be verified by itself";

/// Ends a command with this exit code and prints nothing: the command has already explained the
/// reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("exit code {0}")]
pub struct SilentExit(pub u8);

/// Writes one line to stdout and flushes it.
///
/// # Errors
/// The error of the operating system. If the reader has closed the pipe: [`SilentExit`] with code
/// 0.
pub fn line(text: impl Display) -> anyhow::Result<()> {
    bytes(format!("{text}\n").as_bytes())
}

/// Writes bytes to stdout and flushes them.
///
/// # Errors
/// As for [`line()`].
pub fn bytes(bytes: &[u8]) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(bytes)
        .and_then(|()| stdout.flush())
        .map_err(stdout_error)
}

fn stdout_error(error: io::Error) -> anyhow::Error {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return SilentExit(0).into();
    }
    anyhow::Error::new(error).context("cannot write to stdout")
}

/// Writes one line of advice to stderr. A write error is ignored, because there is no other place
/// to report it.
pub fn note(text: impl Display) {
    writeln!(io::stderr().lock(), "{text}").unwrap_or_default();
}

/// Whether stdout is a terminal.
#[must_use]
pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether stderr is a terminal.
#[must_use]
pub fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Converts the result of a command into its exit code. Prints an error and its causes to stderr,
/// on one line and without a backtrace.
pub fn finish(result: &anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    if let Some(SilentExit(code)) = error.downcast_ref::<SilentExit>() {
        return ExitCode::from(*code);
    }
    note(format_args!("error: {error:#}"));
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_is_not_an_error() {
        let closed = stdout_error(io::ErrorKind::BrokenPipe.into());
        assert_eq!(finish(&Err(closed)), ExitCode::SUCCESS);
        let full = stdout_error(io::ErrorKind::StorageFull.into());
        assert_eq!(finish(&Err(full)), ExitCode::FAILURE);
    }

    #[test]
    fn a_command_can_set_its_exit_code() {
        assert_eq!(finish(&Err(SilentExit(2).into())), ExitCode::from(2));
        assert_eq!(finish(&Err(anyhow::anyhow!("no"))), ExitCode::FAILURE);
        assert_eq!(finish(&Ok(())), ExitCode::SUCCESS);
    }
}
