//! The arguments of `certimix check-config`, and the order of its checks.

use std::path::{Path, PathBuf};

use clap::Args;
use tokio::runtime::Builder;

use super::explain::explain;
use super::report::Report;
use crate::app::{self, ConfigCheck};
use crate::cli::output::{self, SilentExit};
use crate::settings::{ReadSettings, SettingsError, SettingsSource, environment_variables};

const HELP: &str = "\
Examples:
  certimix check-config config/cifar10.toml
  certimix check-config config/cifar10.toml --offline
  certimix check-config config/cifar10.toml --json | jq .violations
  certimix check-config --explain server.max_message_bytes
  certimix check-config config/cifar10.toml --explain mixture

Does what `certimix serve` does before it serves, with the same code: it reads the file and the CERTIMIX__… \
variables of this shell, the manifests, the models, ONNX Runtime, certificates and tokens, runs the self-test of both \
models, and binds the addresses for a moment. It reports every violation at once, each with its key. It needs the \
memory of one server. An address in use is a warning, because the server of this file may run.

--offline reads the settings and the manifests that exist, and nothing else. It suits a machine without the models.";

/// Arguments of `certimix check-config`.
#[derive(Debug, Args)]
#[command(after_help = format!("{HELP}\n\n{}", output::EXIT_CODES))]
pub(in crate::cli) struct CheckConfigArgs {
    /// Settings file in TOML
    #[arg(env = "CERTIMIX_CONFIG", required_unless_present = "explain")]
    config: Option<PathBuf>,
    /// Check the settings and the manifests that exist here. Load no model, bind no address
    #[arg(long)]
    offline: bool,
    /// Explain a key, or every key of a table: meaning, unit, default, range, reload, and the value
    /// in force with its source
    #[arg(long, value_name = "KEY", conflicts_with = "offline")]
    explain: Option<String>,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Checks a configuration, or explains a key.
pub(in crate::cli) fn run(args: &CheckConfigArgs) -> anyhow::Result<()> {
    let config = args.config.as_deref();
    match (&args.explain, config) {
        (Some(key), _) => {
            let read = config.map(read_settings).transpose()?;
            explain(key, config.zip(read.as_ref()), args.json)
        }
        (None, Some(config)) => check(config, args),
        (None, None) => anyhow::bail!("expected a settings file"),
    }
}

fn check(config: &Path, args: &CheckConfigArgs) -> anyhow::Result<()> {
    let report = match read_settings(config) {
        Ok(read) => {
            let check = check_settings(&read, args.offline)?;
            Report::new(config, read, check)
        }
        Err(error) if args.json => Report::of_unreadable(config, error.violations()),
        Err(error) => return Err(error.into()),
    };
    if args.json {
        output::line(report.to_json())?;
        return if report.is_valid() {
            Ok(())
        } else {
            Err(SilentExit(1).into())
        };
    }
    report.print()
}

/// Reads the settings. Values that are not valid are violations of the result.
fn read_settings(config: &Path) -> Result<ReadSettings, SettingsError> {
    let source = SettingsSource::new(config, environment_variables());
    source.read_values(&source.read()?)
}

/// Checks everything that the valid values name.
fn check_settings(read: &ReadSettings, offline: bool) -> anyhow::Result<ConfigCheck> {
    let Some(settings) = &read.settings else {
        return Ok(ConfigCheck::default());
    };
    if offline {
        return Ok(app::check_config_offline(settings));
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    Ok(app::check_config(settings, &runtime))
}
