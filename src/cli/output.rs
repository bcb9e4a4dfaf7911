//! What the commands print: the only place that writes to stdout and stderr.
//!
//! Answers go to stdout, everything else (progress, advice, errors) to stderr. A reader that leaves (`certimix … | head`)
//! is no error: the command ends quietly.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

/// The exit codes of every command, for its `--help`.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  all is well
  1  an error, or an answer that does not hold
  2  wrong usage, or (verify) a certificate that cannot be checked by itself";

/// Ends a command with a code of its own, after it has itself said why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("exit code {0}")]
pub struct Exit(pub u8);

/// Writes one line to stdout and sends it off.
///
/// # Errors
/// What the operating system says. If the reader has left: [`Exit`] with code 0, so that the command ends quietly.
pub fn line(text: impl Display) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(printing_failed)
}

fn printing_failed(error: io::Error) -> anyhow::Error {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Exit(0).into();
    }
    anyhow::Error::new(error).context("cannot write to stdout")
}

/// Writes one line of advice to stderr. If even that fails there is nobody left to tell.
pub fn note(text: impl Display) {
    writeln!(io::stderr().lock(), "{text}").unwrap_or_default();
}

/// Whether a person watches stdout.
#[must_use]
pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether a person watches stderr.
#[must_use]
pub fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Turns the result of a command into its exit code, and tells the error on stderr: one sentence and its causes, no
/// backtrace.
pub fn finish(result: &anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    if let Some(Exit(code)) = error.downcast_ref::<Exit>() {
        return ExitCode::from(*code);
    }
    note(format_args!("error: {error:#}"));
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_left_is_no_error() {
        let left = printing_failed(io::ErrorKind::BrokenPipe.into());
        assert_eq!(finish(&Err(left)), ExitCode::SUCCESS);
        let full = printing_failed(io::ErrorKind::StorageFull.into());
        assert_eq!(finish(&Err(full)), ExitCode::FAILURE);
    }

    #[test]
    fn a_command_may_choose_its_code() {
        assert_eq!(finish(&Err(Exit(2).into())), ExitCode::from(2));
        assert_eq!(finish(&Err(anyhow::anyhow!("no"))), ExitCode::FAILURE);
        assert_eq!(finish(&Ok(())), ExitCode::SUCCESS);
    }
}
