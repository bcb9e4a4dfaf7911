//! `certimix check-config`: validates a settings file.

use std::path::PathBuf;

use clap::Args;
use comfy_table::{Table, presets};

use super::output;
use crate::classifier::predict_target_of_manifest;
use crate::onnx::{Manifest, check_pair_compatibility};
use crate::settings;

/// Arguments of `certimix check-config`.
#[derive(Debug, Args)]
#[command(after_help = "\
Reads the file, the CERTIMIX__… variables and both manifests as `certimix serve` does. Loads no model.
Reports every violation at once, each with its key.")]
pub(super) struct CheckConfigArgs {
    /// Settings file in TOML
    #[arg(env = "CERTIMIX_CONFIG")]
    config: PathBuf,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// Validates the settings and both manifests, and prints every key with its effective value.
pub(super) fn run(args: &CheckConfigArgs) -> anyhow::Result<()> {
    let settings = settings::load(&args.config, std::env::vars())?;
    let standard = Manifest::read(&settings.models.standard)?;
    let robust = Manifest::read(&settings.models.robust)?;
    check_pair_compatibility(&standard, &robust)?;
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
        "{} is valid: {} with {} ({})",
        args.config.display(),
        standard.name,
        robust.name,
        robust.guarantee.name()
    ));
    let target = predict_target_of_manifest(&robust, &settings)?;
    if let Some((target, (configured, in_force))) = target.and_then(|target| Some((target, target.cap()?))) {
        output::note(format!(
            "certificate.predict_target_radius = {configured:.4} is capped at {in_force:.4}: {} votes prove at most {:.4} \
             at alpha = {}",
            settings.certificate.predict_votes,
            target.largest,
            settings.mixture.alpha.get()
        ));
    }
    Ok(())
}
