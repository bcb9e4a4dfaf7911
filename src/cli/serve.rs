//! `certimix serve`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;

use super::output::{self, SilentExit};
use super::server_runtime::server_runtime;
use super::service_manager;
use crate::app::{self, ReadyReport, ServerInputs};
use crate::certificate::noise::NoiseSecret;
use crate::rpc::{self, Listeners};
use crate::settings::{LogFormat, Settings, SettingsSource, environment_variables};
use crate::telemetry::LogHandle;
use crate::{shutdown, telemetry};

const HELP: &str = "\
An environment variable can set every key, and overrides the file: CERTIMIX__MIXTURE__ALPHA=0.8 sets mixture.alpha. A
list is written as in the file: CERTIMIX__MIXTURE__SHADOW_ALPHAS='[0.6, 0.9]'. `certimix check-config` shows all keys.

SIGTERM or SIGINT stops the server. Requests in flight finish first, for at most server.drain_timeout.
SIGHUP reloads the settings.";

/// Arguments of `certimix serve`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(super) struct ServeArgs {
    /// The settings, a TOML file. Paths in it are relative to its directory
    #[arg(env = "CERTIMIX_CONFIG")]
    config: PathBuf,
}

/// How long the process waits for a model that is still loading when the server stops. Loading
/// cannot be interrupted.
const LOADING_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs the server until a signal stops it.
pub(super) fn run(args: &ServeArgs) -> anyhow::Result<()> {
    let source = SettingsSource::new(&args.config, environment_variables());
    let settings = source.parse(&source.read()?)?;
    let log_format = settings.log.format;
    telemetry::log_panics();
    // Dropped last, so that every log line is written.
    let logs = without_panic(|| Ok(telemetry::init_logs(&settings.log, output::stderr_has_color())))?;
    rpc::raise_file_limit();
    let result = without_panic(|| run_with_logs(settings, source, logs.handle()));
    match (result, log_format) {
        // The reason is a line of the log, whose lines are all JSON.
        (Err(error), LogFormat::Json) => {
            tracing::error!(error = output::error_text(&error), "the server ended");
            Err(SilentExit(1).into())
        }
        (result, _) => result,
    }
}

/// Runs `run`, and makes an error of a panic of this thread. Libraries panic if the operating system
/// starts no further thread, for example.
fn without_panic<T>(run: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        Err(anyhow!("the server failed: {}", text.unwrap_or("without a message")))
    })
}

fn run_with_logs(settings: Settings, source: SettingsSource, logs: LogHandle) -> anyhow::Result<()> {
    let runtime = server_runtime(settings.server.threads)?;
    let result = runtime.block_on(serve(settings, source, logs));
    runtime.shutdown_timeout(LOADING_TIMEOUT);
    result
}

async fn serve(settings: Settings, source: SettingsSource, logs: LogHandle) -> anyhow::Result<()> {
    let log_format = settings.log.format;
    let listeners = Listeners::bind(&settings.server).await?;
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).context("cannot read random bytes from the operating system for the noise secret")?;
    let start = ServerInputs {
        settings,
        source,
        listeners,
        secret: NoiseSecret::new(secret),
        logs: Some(logs),
        reload: shutdown::reload_signals().context("cannot install the SIGHUP handler")?,
    };
    app::run(
        start,
        |ready| {
            report_ready(log_format, ready);
            service_manager::report_ready();
        },
        async {
            shutdown::termination_signal().await;
            service_manager::report_stopping();
        },
    )
    .await?;
    Ok(())
}

/// Reports that the server is ready, with its addresses and models: one line for people, or one
/// JSON log line.
fn report_ready(log_format: LogFormat, ready: ReadyReport) {
    let ReadyReport {
        address,
        unix_socket,
        metrics,
        info,
        alpha,
    } = ready;
    // The form that `certimix predict --address` accepts. It is absolute, so that it is valid in
    // every working directory.
    let unix_socket = unix_socket.map(|path| format!("unix:{}", std::path::absolute(&path).unwrap_or(path).display()));
    let (standard, robust, provider) = (info.standard.name, info.robust.name, info.robust.provider);
    match log_format {
        LogFormat::Json => {
            tracing::info!(%address, unix_socket, metrics = metrics.map(tracing::field::display), standard, robust, provider, alpha, "ready")
        }
        LogFormat::Human => {
            let unix_socket = unix_socket.map(|socket| format!(" and {socket}")).unwrap_or_default();
            let metrics = metrics
                .map(|address| format!("; metrics on {address}"))
                .unwrap_or_default();
            output::note(format!(
                "certimix is ready on {address}{unix_socket}, serving {standard} + {robust} on {provider}, alpha {alpha}{metrics}"
            ));
        }
    }
    if let Some(reason) = &info.unavailable_reason {
        tracing::warn!(%reason, "nothing can be certified");
    }
}
