//! The arguments of `certimix info`, and its output.

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, ContentArrangement, Table};

use super::json::info_json;
use super::text::info_rows;
use crate::cli::client::connection::{ConnectionArgs, ServerConnection};
use crate::cli::output::{self, EXIT_CODES};

/// Show the models, guarantee, mixture and limits of a server
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = format!("Example:\n  certimix info --json | jq .robust.guarantee\n\n{EXIT_CODES}"))]
pub struct InfoArgs {
    /// The server
    #[command(flatten)]
    pub connection: ConnectionArgs,

    /// Print one JSON object instead: certimix.v1's GetModelInfoResponse
    #[arg(long)]
    pub json: bool,
}

/// Calls `GetModelInfo` and prints the response.
///
/// # Errors
/// When the server is unreachable.
pub async fn run(args: InfoArgs) -> anyhow::Result<()> {
    let connection = ServerConnection::open(&args.connection).await?;
    let info = connection.model_info().await?;
    if args.json {
        return output::line(info_json(&info));
    }
    output::line(format_args!("{}\n", connection.address))?;
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic);
    for (title, text) in info_rows(&info) {
        table.add_row([Cell::new(title).add_attribute(Attribute::Bold), Cell::new(text)]);
    }
    output::line(table.trim_fmt())
}
