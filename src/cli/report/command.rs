//! The arguments of `certimix report`, and the file that it writes.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;

use super::records::{RecordsArgs, records_report};
use crate::cli::client::{ConnectionArgs, CredentialArgs, live_report};
use crate::cli::output;
use crate::evaluation::report::{ReportSource, html_page};
use crate::evaluation::settings_file_text;

const HELP: &str = "\
The page is one file that loads nothing from the network. Open it by double
click. Sliders for alpha, fallback_alpha and the temperature move over mixtures
that this command has computed; the page shows no other numbers. Every figure
can be saved as SVG and PNG, and is a table too.

With --live the page shows the shadow counts of a running service, for the
mixtures of mixture.shadow_candidates. Their true classes are unknown, so it
shows agreement with the standard model instead of accuracy.

Examples:
  certimix report results.parquet --out report.html
  certimix report results.parquet --min-clean-accuracy 0.92 --radius 0.25
  certimix report --live 127.0.0.1:50051";

/// Write a page with the certified accuracy of many mixtures, for a browser
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = HELP)]
pub struct ReportArgs {
    /// The records to report
    #[command(flatten)]
    records: RecordsArgs,

    /// Report the shadow counts of the service at this address instead of records
    #[arg(long, value_name = "ADDRESS")]
    live: Option<String>,

    /// The page to write
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    out: PathBuf,

    /// The settings file in force: the page marks its mixture, and its commands change it [default: the
    /// settings of the evaluation]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// How long --live waits for the service
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    deadline: humantime::Duration,

    /// TLS and tokens for --live
    #[command(flatten)]
    credentials: CredentialArgs,
}

/// Writes the page.
///
/// # Errors
/// When the records cannot be read or do not fit together, the service is unreachable or has counted
/// nothing, or the file cannot be written.
pub async fn run(args: ReportArgs) -> anyhow::Result<()> {
    let data = match args.live {
        Some(address) => {
            let connection = ConnectionArgs::new(address, args.deadline, args.credentials);
            live_report(&connection, &settings_file_text(args.config.as_deref())).await?
        }
        None => records_report(&args.records, args.config.as_deref())?,
    };
    let page = html_page(&data)?;
    fs::write(&args.out, page).with_context(|| format!("cannot write {}", args.out.display()))?;
    output::line(args.out.display())?;
    let source = match data.source {
        ReportSource::Records => "of the records",
        ReportSource::Live => "of live traffic",
    };
    output::note(format_args!(
        "{} inputs {source}, {} mixtures; open the page in a browser",
        data.inputs,
        data.mixtures.len()
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_fits_80_columns() {
        for line in HELP.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
