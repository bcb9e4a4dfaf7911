//! `certimix check-config`.

use std::path::PathBuf;

use clap::Args;
use comfy_table::{Table, presets};

use super::output;
use crate::onnx::{Manifest, check_pair};
use crate::settings;

/// Arguments of `certimix check-config`.
#[derive(Debug, Args)]
#[command(after_help = "\
Reads the file and the CERTIMIX__… variables as `certimix serve` does, and both manifests. Loads no model.
Tells every violation at once, each with its key.")]
pub(super) struct CheckConfigArgs {
    /// The settings, a TOML file
    #[arg(env = "CERTIMIX_CONFIG")]
    config: PathBuf,
    /// One JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// Checks the settings and shows them.
pub(super) fn run(args: &CheckConfigArgs) -> anyhow::Result<()> {
    let settings = settings::load(&args.config, std::env::vars())?;
    let standard = Manifest::read(&settings.models.standard)?;
    let robust = Manifest::read(&settings.models.robust)?;
    check_pair(&standard, &robust)?;
    if args.json {
        return output::line(serde_json::to_string(&settings.effective)?);
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["key", "in force"]);
    for (key, value) in &settings.effective {
        table.add_row([key, value]);
    }
    output::line(table)?;
    output::note(format!(
        "{} is fine: {} with {} ({})",
        args.config.display(),
        standard.name,
        robust.name,
        robust.guarantee.name()
    ));
    Ok(())
}
