//! `certimix man`.

use std::io;
use std::path::PathBuf;

use anyhow::Context as _;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::output;

const HELP: &str = "\
Examples:
  certimix man | man -l -
  certimix man --out /usr/share/man/man1";

/// Print the manual page, or write one page for each command
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct ManArgs {
    /// Write certimix.1 and one page for each command (certimix-predict.1, ...) into this
    /// directory; create it if it is missing. Without it, print certimix(1)
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints the page of `command`, or writes the pages of `command` and of all its subcommands.
pub(super) fn run(args: &ManArgs, command: clap::Command) -> anyhow::Result<()> {
    let Some(directory) = &args.out else {
        return output::bytes(&render(built(command))?);
    };
    std::fs::create_dir_all(directory).with_context(|| format!("--out: cannot create {}", directory.display()))?;
    for (name, page) in render_all(command)? {
        let path = directory.join(name);
        std::fs::write(&path, page).with_context(|| format!("--out: cannot write {}", path.display()))?;
    }
    Ok(())
}

/// The pages of `command` and of all its subcommands, each with its file name.
pub(super) fn render_all(command: clap::Command) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut pages = Vec::new();
    let mut pending = vec![built(command)];
    while let Some(command) = pending.pop() {
        pending.extend(command.get_subcommands().filter(|child| !child.is_hide_set()).cloned());
        pages.push((Man::new(command.clone()).get_filename(), render(command)?));
    }
    Ok(pages)
}

/// Gives every subcommand its full name (`certimix-alpha-set`). The generated `help` subcommand
/// needs no page.
fn built(command: clap::Command) -> clap::Command {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    command
}

/// One page. The sections are those of [`Man::render`], but the help text after the options keeps
/// its layout.
fn render(command: clap::Command) -> io::Result<Vec<u8>> {
    let after_help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let has_subcommands = command.has_subcommands();
    let man = Man::new(command)
        .source(concat!("certimix ", env!("CARGO_PKG_VERSION")))
        .manual("Certimix Manual");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if has_subcommands {
        man.render_subcommands_section(&mut page)?;
    }
    if !after_help.is_empty() {
        notes_section(&after_help).to_writer(&mut page)?;
    }
    Ok(page)
}

/// Indented lines (examples, tables) are printed as they are. All other lines are filled as
/// paragraphs.
fn notes_section(text: &str) -> Roff {
    let mut roff = Roff::default();
    roff.control("SH", ["NOTES"]);
    let mut is_literal = false;
    for line in text.lines() {
        let is_indented = line.starts_with(' ');
        if is_indented != is_literal {
            roff.control(if is_indented { "nf" } else { "fi" }, []);
            is_literal = is_indented;
        }
        if line.is_empty() {
            roff.control("PP", []);
        } else {
            roff.text([roman(line)]);
        }
    }
    if is_literal {
        roff.control("fi", []);
    }
    roff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_keep_their_lines_and_paragraphs_are_filled() {
        let text = notes_section("One\nparagraph.\n\nExamples:\n  .first -x\n  second").render();
        let notes = text.split_once(".SH NOTES\n").map(|(_, notes)| notes);
        let expected = "One\nparagraph.\n.PP\nExamples:\n.nf\n  .first \\-x\n  second\n.fi\n";
        assert_eq!(notes, Some(expected), "{text}");
    }

    #[test]
    fn pages_are_written_into_the_directory() -> anyhow::Result<()> {
        let root = tempfile::tempdir()?;
        let directory = root.path().join("share/man1");
        let command = clap::Command::new("tool").subcommand(clap::Command::new("part").about("One part"));
        let args = ManArgs {
            out: Some(directory.clone()),
        };
        run(&args, command)?;
        assert!(std::fs::read_to_string(directory.join("tool.1"))?.contains("tool\\-part"));
        assert!(std::fs::read_to_string(directory.join("tool-part.1"))?.contains("One part"));
        Ok(())
    }
}
