//! The command line, and the dispatch to the selected command.

use std::future::Future;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use super::output::OutputArgs;
use super::{audit, check_config, client, completions, evaluate, init, man_pages, output, recommend, report, serve};

/// Serves and checks classifiers that are both accurate and certifiably robust.
///
/// Start a server with `certimix serve CONFIG` (or `make run`), then classify images with
/// `certimix predict IMAGE...`.
#[derive(Debug, Parser)]
#[command(name = "certimix", version)]
pub struct Cli {
    /// Colours, and how much is printed
    #[command(flatten)]
    output: OutputArgs,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write manifests and settings for two ONNX files
    Init(Box<init::InitArgs>),
    /// Run the server
    Serve(serve::ServeArgs),
    /// Check a settings file, and show every setting in force
    CheckConfig(check_config::CheckConfigArgs),
    /// Run both models over a labelled data set, and record their outputs
    Evaluate(evaluate::EvaluateArgs),
    /// Classify images, and show a certificate for each
    Predict(client::PredictArgs),
    /// Certify images with your own target radius, votes and failure probability
    Certify(client::CertifyArgs),
    /// Show the models, guarantee, mixture and limits of a server
    Info(client::InfoArgs),
    /// Check whether a server is ready or alive, for probes
    Health(client::HealthArgs),
    /// Show or change alpha, the weight of the robust model, of a running server
    Alpha(client::AlphaArgs),
    /// Show how other mixtures would have answered the live traffic
    Shadow(client::ShadowArgs),
    /// Choose alpha, fallback_alpha and the temperature from the results of an evaluation
    Recommend(recommend::RecommendArgs),
    /// Write a page with the certified accuracy of many mixtures, for a browser
    Report(report::ReportArgs),
    /// Compute bounds and radii, JSON lines in and out
    Radius(audit::RadiusArgs),
    /// Recompute served certificates from their own counts
    Verify(audit::VerifyArgs),
    /// Draw the votes of a served certificate again, and compare them
    Replay(audit::ReplayArgs),
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
    /// Print the manual page, or write one page for each command
    Man(man_pages::ManArgs),
}

/// The widest text of a help. Longer lines are hard to read.
const MAX_HELP_WIDTH: usize = 100;

impl Cli {
    /// The definition of the command line, with the exit codes in the help of every command.
    fn definition() -> clap::Command {
        // Without a terminal, clap would write 100 columns.
        let width = output::width().min(MAX_HELP_WIDTH);
        with_exit_codes(Self::command()).term_width(width)
    }

    /// Parses the arguments of the process. Wrong usage prints an error and ends the process.
    #[must_use]
    pub fn from_arguments() -> Self {
        let matches = Self::definition().get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

/// Appends the exit codes to the help of `command` and of its subcommands, unless their help
/// already lists exit codes of their own.
fn with_exit_codes(command: clap::Command) -> clap::Command {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let command = if help.contains("Exit codes:") {
        command
    } else {
        command.after_help(format!("{help}\n\n{}", output::EXIT_CODES).trim_start().to_owned())
    };
    command.mut_subcommands(with_exit_codes)
}

/// Runs the selected command, and returns its exit code.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    output::configure(cli.output);
    let result = match cli.command {
        Command::Init(args) => init::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::CheckConfig(args) => check_config::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Predict(args) => block_on(client::run_predict(args)),
        Command::Certify(args) => block_on(client::run_certify(args)),
        Command::Info(args) => block_on(client::run_info(args)),
        Command::Health(args) => block_on(client::run_health(args)),
        Command::Alpha(args) => block_on(client::run_alpha(args)),
        Command::Shadow(args) => block_on(client::run_shadow(args)),
        Command::Recommend(args) => recommend::run(&args),
        Command::Report(args) => block_on(report::run(args)),
        Command::Radius(args) => audit::run_radius(&args),
        Command::Verify(args) => audit::run_verify(&args),
        Command::Replay(args) => audit::run_replay(&args),
        Command::Completions(args) => completions::run(&args, Cli::definition()),
        Command::Man(args) => man_pages::run(&args, Cli::definition()),
    };
    output::finish(&result)
}

/// Runs a client command on a single-threaded runtime.
fn block_on(command: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum as _;

    #[test]
    fn command_line_definition_is_consistent() {
        Cli::definition().debug_assert();
    }

    #[test]
    fn every_help_lists_the_exit_codes() {
        let mut pending = vec![Cli::definition()];
        while let Some(command) = pending.pop() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert_eq!(help.matches("Exit codes:").count(), 1, "{}: {help}", command.get_name());
            pending.extend(command.get_subcommands().cloned());
        }
    }

    #[test]
    fn every_help_fits_80_columns() {
        let mut definition = Cli::definition().term_width(80);
        definition.build();
        let mut pending = vec![definition];
        while let Some(mut command) = pending.pop() {
            for help in [command.render_help(), command.render_long_help()] {
                for line in help.to_string().lines() {
                    assert!(line.chars().count() <= 80, "{}: {line}", command.get_name());
                }
            }
            pending.extend(command.get_subcommands().cloned());
        }
    }

    #[test]
    fn each_shell_completes_every_command() {
        for shell in clap_complete::Shell::value_variants() {
            let script = String::from_utf8(completions::script(*shell, Cli::command())).unwrap();
            for command in Cli::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
            assert!(script.contains("target-radius"), "{shell} does not complete options");
        }
    }

    #[test]
    fn each_command_has_a_manual_page() {
        let pages = man_pages::render_all(Cli::definition()).unwrap();
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        let commands: Vec<_> = Cli::command()
            .get_subcommands()
            .map(|command| format!("certimix-{}.1", command.get_name()))
            .collect();
        for expected in ["certimix.1", "certimix-alpha-get.1", "certimix-alpha-set.1"] {
            assert!(names.contains(&expected), "{names:?}");
        }
        for expected in &commands {
            assert!(names.contains(&expected.as_str()), "{expected} is not in {names:?}");
        }
        assert!(!names.iter().any(|name| name.contains("help")), "{names:?}");
        let (_, certify) = pages.iter().find(|(name, _)| name == "certimix-certify.1").unwrap();
        let certify = str::from_utf8(certify).unwrap();
        for expected in [
            ".TH certimix-certify 1",
            "certimix certify cat.png",
            r"\-\-target\-radius",
            ".SH NOTES",
        ] {
            assert!(certify.contains(expected), "{expected} is not in {certify}");
        }
    }
}
