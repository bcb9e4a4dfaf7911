//! `certimix serve`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tokio::runtime::Builder;

use super::output;
use crate::app::{self, Ready, Start};
use crate::certificate::noise::NoiseSecret;
use crate::rpc::Listeners;
use crate::settings::{LogFormat, Settings, SettingsSource};
use crate::telemetry::LogHandle;
use crate::{shutdown, telemetry};

/// Arguments of `certimix serve`.
#[derive(Debug, Args)]
#[command(after_help = "\
Every key of the file can be overridden by a variable: mixture.alpha by CERTIMIX__MIXTURE__ALPHA=0.8.
`certimix check-config` shows all keys. SIGTERM stops the server: requests in flight finish first, for at most server.drain_timeout.")]
pub(super) struct ServeArgs {
    /// The settings, a TOML file; paths in it are relative to it
    #[arg(env = "CERTIMIX_CONFIG")]
    config: PathBuf,
}

/// How long a model that is still loading when the server stops may take; it cannot be interrupted.
const LOADING_LEFT: Duration = Duration::from_secs(1);

/// Runs the server until it is told to stop.
pub(super) fn run(args: &ServeArgs) -> anyhow::Result<()> {
    let source = SettingsSource::new(&args.config, std::env::vars());
    let settings = source.parse(&source.read()?)?;
    // Dropped last, when all that is told has been told.
    let logs = telemetry::init_logs(&settings.log);
    // With one thread, that is this one: a runtime of one worker would hand everything from here to there.
    let mut runtime = match settings.server.threads {
        1 => Builder::new_current_thread(),
        threads => {
            let mut runtime = Builder::new_multi_thread();
            runtime.worker_threads(threads);
            runtime
        }
    };
    let runtime = runtime
        .enable_all()
        .build()
        .context("cannot start the server's threads (server.threads)")?;
    let result = runtime.block_on(serve(settings, source, logs.handle()));
    runtime.shutdown_timeout(LOADING_LEFT);
    drop(logs);
    result
}

async fn serve(settings: Settings, source: SettingsSource, logs: LogHandle) -> anyhow::Result<()> {
    let format = settings.log.format;
    let listeners = Listeners::bind(&settings.server).await?;
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).context("the operating system gives no randomness for the noise")?;
    let start = Start {
        settings,
        source,
        listeners,
        secret: NoiseSecret::new(secret),
        logs: Some(logs),
        reload: shutdown::hangups().context("SIGHUP cannot be listened for")?,
    };
    app::run(start, |ready| announce(format, ready), shutdown::signalled()).await?;
    Ok(())
}

/// One line that says that it is ready, where, and what it serves: for people, or as one more JSON line.
fn announce(format: LogFormat, ready: Ready) {
    let Ready {
        address,
        unix_socket,
        metrics,
        info,
        alpha,
    } = ready;
    // As `certimix predict --address` takes it, from wherever it is called.
    let unix_socket = unix_socket.map(|path| format!("unix:{}", std::path::absolute(&path).unwrap_or(path).display()));
    let (standard, robust, provider) = (info.standard.name, info.robust.name, info.robust.provider);
    match format {
        LogFormat::Json => {
            tracing::info!(%address, unix_socket, metrics = metrics.map(tracing::field::display), standard, robust, provider, alpha, "ready")
        }
        LogFormat::Human => {
            let also = unix_socket.map(|socket| format!(" and {socket}")).unwrap_or_default();
            let metrics = metrics
                .map(|address| format!("; metrics on {address}"))
                .unwrap_or_default();
            output::note(format!(
                "certimix is ready on {address}{also}, serving {standard} + {robust} on {provider}, alpha {alpha}{metrics}"
            ));
        }
    }
    if let Some(reason) = &info.unavailable_reason {
        tracing::warn!("NOTHING CAN BE CERTIFIED: {reason}");
    }
}
