//! `certimix serve`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use tokio::net::TcpListener;

use super::output;
use crate::app::{self, Ready};
use crate::certificate::noise::NoiseSecret;
use crate::settings::LogFormat;
use crate::{settings, shutdown, telemetry};

/// Arguments of `certimix serve`.
#[derive(Debug, Args)]
#[command(after_help = "\
Every key of the file can be overridden by a variable: mixture.alpha by CERTIMIX__MIXTURE__ALPHA=0.8.
`certimix check-config` shows all keys. SIGTERM stops the server: requests in flight finish first.")]
pub(super) struct ServeArgs {
    /// The settings, a TOML file; paths in it are relative to it
    #[arg(env = "CERTIMIX_CONFIG")]
    config: PathBuf,
}

/// Runs the server until it is told to stop.
pub(super) async fn run(args: ServeArgs) -> anyhow::Result<()> {
    let settings = settings::load(&args.config, std::env::vars())?;
    telemetry::init_logs(&settings.log);
    let (listen, format) = (settings.server.listen, settings.log.format);
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen} (server.listen)"))?;
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).context("the operating system gives no randomness for the noise")?;
    app::run(
        settings,
        listener,
        NoiseSecret::new(secret),
        |ready| announce(format, ready),
        shutdown::signalled(),
    )
    .await?;
    Ok(())
}

/// One line that says that it is ready, where, and what it serves: for people, or as one more JSON line.
fn announce(format: LogFormat, ready: Ready) {
    let Ready { address, info, alpha } = ready;
    let (standard, robust, provider) = (info.standard.name, info.robust.name, info.robust.provider);
    match format {
        LogFormat::Json => tracing::info!(%address, standard, robust, provider, alpha, "ready"),
        LogFormat::Human => {
            output::note(format!(
                "certimix is ready on {address}, serving {standard} + {robust} on {provider}, alpha {alpha}"
            ));
        }
    }
    if let Some(reason) = &info.unavailable_reason {
        tracing::warn!("NOTHING CAN BE CERTIFIED: {reason}");
    }
}
