//! The arguments of `certimix alpha`, and `certimix alpha get`.

use clap::Subcommand;

use super::served_alpha::ServedAlpha;
use super::set::{SetArgs, set};
use crate::cli::client::connection::{ConnectionArgs, ServerConnection};
use crate::cli::output::EXIT_CODES;

const HELP: &str = "\
Examples:
  certimix alpha get
  certimix alpha set 0.8 --config config/cifar10.toml
  certimix alpha set 0.8 --fallback-alpha 0 --config config/cifar10.toml
  certimix alpha set 0.8 --robust-temperature 0.05 --config config/cifar10.toml
  certimix alpha set 0.8 --config /etc/certimix/certimix.toml \\
    --address 10.0.0.7:50051

alpha is the weight of the robust model in the mixture. A larger alpha makes predictions more robust and less accurate. At \
0.5 and below nothing can be certified. `certimix shadow` shows how other values would have \
answered the live traffic. fallback_alpha is the weight for inputs on which the robust model's margin is too small for a \
certificate.

set first checks that an edit would have an effect: that the server runs with this file, that no environment variable \
overrides it, and that the file can be replaced. Then it edits the file in one step, keeps its comments, waits until the \
server uses the new value, and shows the old and the new alpha, the largest radius that each can prove, and what the shadow \
counts said. If the server rejects the change, set restores the old file. Of two commands at a time the second fails at \
once. A file from a Kubernetes ConfigMap is changed in the ConfigMap instead.";

/// Arguments of `certimix alpha`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = format!("{HELP}\n\n{EXIT_CODES}"))]
pub struct AlphaArgs {
    #[command(subcommand)]
    command: AlphaCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum AlphaCommand {
    /// Show alpha and fallback_alpha in force on the server, and the target of a ramp
    Get(GetArgs),
    /// Change alpha in the settings file, and wait until the server uses it
    Set(SetArgs),
}

#[derive(Debug, Clone, clap::Args)]
struct GetArgs {
    /// The server
    #[command(flatten)]
    connection: ConnectionArgs,

    /// Print one JSON object instead
    #[arg(long)]
    json: bool,
}

/// Shows or changes alpha.
///
/// # Errors
/// When the server is unreachable or rejects the change, or the file cannot be edited.
pub async fn run(args: AlphaArgs) -> anyhow::Result<()> {
    match args.command {
        AlphaCommand::Get(args) => get(args).await,
        AlphaCommand::Set(args) => set(args).await,
    }
}

async fn get(args: GetArgs) -> anyhow::Result<()> {
    let info = ServerConnection::open(&args.connection).await?.model_info().await?;
    ServedAlpha::from(info).print(args.json)
}
