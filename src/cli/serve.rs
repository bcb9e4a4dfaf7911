//! `certimix serve`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use tokio::net::TcpListener;

use super::output;
use crate::app::{self, Ready};
use crate::certificate::noise::NoiseSecret;
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
    let listen = settings.server.listen;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen} (server.listen)"))?;
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).context("the operating system gives no randomness for the noise")?;
    app::run(
        settings,
        listener,
        NoiseSecret::new(secret),
        announce,
        shutdown::signalled(),
    )
    .await?;
    Ok(())
}

/// One line that says that it is ready, where, and what it serves.
fn announce(ready: Ready) {
    let Ready { address, info, alpha } = ready;
    tracing::info!(
        %address,
        standard = info.standard.name,
        robust = info.robust.name,
        provider = info.robust.provider,
        alpha,
        "ready"
    );
    if let Some(reason) = &info.unavailable_reason {
        tracing::warn!("NOTHING CAN BE CERTIFIED: {reason}");
    }
    let models = format!("{} + {}", info.standard.name, info.robust.name);
    output::note(format!(
        "certimix is ready on {address}, serving {models} on {}, alpha {alpha}",
        info.robust.provider
    ));
}
