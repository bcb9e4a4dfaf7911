//! `certimix serve`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::output;
use crate::app::{self, Ready};
use crate::certificate::noise::NoiseSecret;
use crate::rpc::Listeners;
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
    let format = settings.log.format;
    let listeners = Listeners::bind(&settings.server).await?;
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).context("the operating system gives no randomness for the noise")?;
    app::run(
        settings,
        listeners,
        NoiseSecret::new(secret),
        |ready| announce(format, ready),
        shutdown::signalled(),
    )
    .await?;
    Ok(())
}

/// One line that says that it is ready, where, and what it serves: for people, or as one more JSON line.
fn announce(format: LogFormat, ready: Ready) {
    let Ready {
        address,
        unix_socket,
        info,
        alpha,
    } = ready;
    // As `certimix predict --address` takes it, from wherever it is called.
    let unix_socket = unix_socket.map(|path| format!("unix:{}", std::path::absolute(&path).unwrap_or(path).display()));
    let (standard, robust, provider) = (info.standard.name, info.robust.name, info.robust.provider);
    match format {
        LogFormat::Json => tracing::info!(%address, unix_socket, standard, robust, provider, alpha, "ready"),
        LogFormat::Human => {
            let also = unix_socket.map(|socket| format!(" and {socket}")).unwrap_or_default();
            output::note(format!(
                "certimix is ready on {address}{also}, serving {standard} + {robust} on {provider}, alpha {alpha}"
            ));
        }
    }
    if let Some(reason) = &info.unavailable_reason {
        tracing::warn!("NOTHING CAN BE CERTIFIED: {reason}");
    }
}
