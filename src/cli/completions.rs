//! `certimix completions`.

use clap_complete::Shell;

use super::output;

const HELP: &str = "\
Packages install the script where the shell looks for it. For yourself:
  bash  certimix completions bash > ~/.local/share/bash-completion/completions/certimix
  zsh   certimix completions zsh > ~/.zfunc/_certimix   (with ~/.zfunc in fpath)
  fish  certimix completions fish > ~/.config/fish/completions/certimix.fish";

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the completion script of `command`.
pub(super) fn run(args: &CompletionsArgs, command: clap::Command) -> anyhow::Result<()> {
    output::bytes(&script(args.shell, command))
}

/// The completion script of `command` for `shell`.
pub(super) fn script(shell: Shell, mut command: clap::Command) -> Vec<u8> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    script
}
