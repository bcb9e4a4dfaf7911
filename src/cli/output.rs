//! The only module that writes to stdout and stderr, with the exit codes, the colours and the width
//! of lines.
//!
//! Results go to stdout. Progress, advice and errors go to stderr. A closed pipe
//! (`certimix ... | head`) is not an error: the command ends silently.

use std::env;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::OnceLock;

use comfy_table::Table;

/// The exit codes of every command, for its `--help`.
pub const EXIT_CODES: &str = "\
Exit codes:
  0    success
  1    an error, an input without a result, or a result that does not hold
  2    wrong usage, or (verify) a certificate that cannot be verified by itself
  3    (recommend) no setting fits the objective; the nearest one is printed
  130  interrupted (Ctrl-C); what was finished is printed";

/// The width of lines where stdout is no terminal and COLUMNS is not set.
const DEFAULT_WIDTH: usize = 80;

/// Tables are laid out for at least this width. A narrower terminal wraps them.
pub const MIN_WIDTH: usize = 40;

/// When the output has colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set or TERM is "dumb"
    #[default]
    Auto,
    /// Also into a pipe or a file
    Always,
    /// Never
    Never,
}

/// The options that every command has.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct OutputArgs {
    /// Use colours: auto (on a terminal without NO_COLOR), always or never
    #[arg(
        long,
        value_name = "WHEN",
        value_enum,
        default_value = "auto",
        global = true,
        hide_possible_values = true
    )]
    pub color: ColorChoice,

    /// Print results and errors only: no progress, advice or summary
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// Set once, before a command runs.
static OUTPUT_ARGS: OnceLock<OutputArgs> = OnceLock::new();

/// Sets the options for the rest of the process. A second call has no effect.
pub fn configure(args: OutputArgs) {
    let _ = OUTPUT_ARGS.set(args);
}

fn args() -> OutputArgs {
    OUTPUT_ARGS.get().copied().unwrap_or_default()
}

/// Whether the user wants results and errors only.
#[must_use]
pub fn is_quiet() -> bool {
    args().quiet
}

/// Whether a stream has colours. `no_color` and `term` are the environment variables of these
/// names.
fn wants_color(choice: ColorChoice, is_terminal: bool, no_color: Option<&str>, term: Option<&str>) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => is_terminal && no_color.is_none_or(str::is_empty) && term != Some("dumb"),
    }
}

fn wants_color_on(stream: &impl IsTerminal) -> bool {
    let no_color = env::var("NO_COLOR").ok();
    let term = env::var("TERM").ok();
    wants_color(args().color, stream.is_terminal(), no_color.as_deref(), term.as_deref())
}

/// Whether stderr has colours.
#[must_use]
pub fn stderr_has_color() -> bool {
    wants_color_on(&io::stderr())
}

/// Makes a table with or without colours and bold titles, as the user and stdout require.
pub fn style_table(table: &mut Table) {
    if wants_color_on(&io::stdout()) {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
}

/// The text in bold where stdout has colours.
#[must_use]
pub fn bold(text: &str) -> String {
    if wants_color_on(&io::stdout()) {
        format!("\u{1b}[1m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

/// The width of lines on stdout in columns: that of the terminal; otherwise COLUMNS, or 80. At
/// least [`MIN_WIDTH`].
#[must_use]
pub fn width() -> usize {
    let terminal = Table::new().width().map(usize::from).filter(|&width| width > 0);
    let columns = || env::var("COLUMNS").ok()?.parse().ok();
    terminal.or_else(columns).unwrap_or(DEFAULT_WIDTH).max(MIN_WIDTH)
}

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

/// Writes a table to stdout, with colours where the output has them. A table that arranges its own
/// columns gets the width of the output.
///
/// # Errors
/// As for [`line()`].
pub fn table(mut table: Table) -> anyhow::Result<()> {
    style_table(&mut table);
    table.set_width(u16::try_from(width()).unwrap_or(u16::MAX));
    line(table)
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

/// Writes one line of advice to stderr, unless the user wants results and errors only. A write
/// error is ignored, because there is no other place to report it.
pub fn note(text: impl Display) {
    if !is_quiet() {
        writeln!(io::stderr().lock(), "{text}").unwrap_or_default();
    }
}

/// Writes one error to stderr.
pub fn error(text: impl Display) {
    writeln!(io::stderr().lock(), "error: {text}").unwrap_or_default();
}

/// An error and its causes on one line. A cause whose text is part of the line already is left out:
/// many libraries repeat the text of the cause in their own.
#[must_use]
pub fn error_text(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.contains(cause.trim_end_matches('.')) {
            continue;
        }
        if !text.is_empty() {
            text.truncate(text.trim_end_matches('.').len());
            text.push_str(": ");
        }
        text.push_str(&cause);
    }
    text
}

/// Whether stdout is a terminal on which lines can change in place.
#[must_use]
pub fn stdout_can_redraw() -> bool {
    io::stdout().is_terminal() && env::var_os("TERM").is_some_and(|term| term != "dumb")
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
    self::error(error_text(error));
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
    fn a_cause_that_is_part_of_the_text_is_left_out() {
        let chain = |causes: &[&'static str]| {
            let mut causes = causes.iter().rev();
            let innermost = anyhow::anyhow!(*causes.next().unwrap());
            error_text(&causes.fold(innermost, |error, cause| error.context(*cause)))
        };
        assert_eq!(
            chain(&["x.png", "cannot read it", "no such file"]),
            "x.png: cannot read it: no such file"
        );
        assert_eq!(
            chain(&["x.png", "Format error: Invalid signature.", "Invalid signature."]),
            "x.png: Format error: Invalid signature."
        );
        assert_eq!(
            chain(&["Invalid signature.", "Invalid signature."]),
            "Invalid signature."
        );
        assert_eq!(chain(&["One.", "Two."]), "One: Two.");
    }

    #[test]
    fn colours_follow_the_option_the_terminal_and_the_environment() {
        use ColorChoice::{Always, Auto, Never};
        for (choice, is_terminal, no_color, term, expected) in [
            (Auto, true, None, Some("xterm"), true),
            (Auto, true, Some(""), Some("xterm"), true),
            (Auto, true, Some("1"), Some("xterm"), false),
            (Auto, true, None, Some("dumb"), false),
            (Auto, false, None, Some("xterm"), false),
            (Always, false, Some("1"), Some("dumb"), true),
            (Never, true, None, Some("xterm"), false),
        ] {
            let found = wants_color(choice, is_terminal, no_color, term);
            assert_eq!(found, expected, "{choice:?} {is_terminal} {no_color:?} {term:?}");
        }
    }

    #[test]
    fn a_command_can_set_its_exit_code() {
        assert_eq!(finish(&Err(SilentExit(2).into())), ExitCode::from(2));
        assert_eq!(finish(&Err(anyhow::anyhow!("no"))), ExitCode::FAILURE);
        assert_eq!(finish(&Ok(())), ExitCode::SUCCESS);
    }
}
