//! `certimix alpha set`: edits the settings file and waits for the server.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::bail;

use super::served_alpha::{ServedAlpha, is_same};
use super::settings_file::SettingsFile;
use crate::certificate::Alpha;
use crate::cli::client::connection::error_messages::violation_lines;
use crate::cli::client::connection::{ConnectionArgs, ServerConnection};
use crate::cli::{output, progress_bar};
use crate::rpc::proto::PendingError;

#[derive(Debug, Clone, clap::Args)]
pub(super) struct SetArgs {
    /// The new weight of the robust model, from 0 to 1
    alpha: f64,

    /// The server's settings file
    #[arg(long, value_name = "FILE", env = "CERTIMIX_CONFIG")]
    config: PathBuf,

    /// The server
    #[command(flatten)]
    connection: ConnectionArgs,

    /// How long to wait for the server. Allow for a ramp (mixture.alpha_ramp)
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    timeout: humantime::Duration,

    /// Edit the file only; do not contact the server
    #[arg(long)]
    no_wait: bool,

    /// Print one JSON object instead
    #[arg(long)]
    json: bool,
}

/// The time between two `GetModelInfo` requests.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Changes alpha in the settings file, and waits until the server uses it.
///
/// # Errors
/// When the file cannot be edited, the server uses another file, rejects the change, or does not
/// use it in time.
pub(super) async fn set(args: SetArgs) -> anyhow::Result<()> {
    let alpha = Alpha::new(args.alpha)?;
    let file = SettingsFile::open(&args.config)?;
    let edited = file.with_alpha(alpha)?;
    if !alpha.can_certify() {
        output::note("warning: at alpha 0.5 and below nothing can be certified");
    }
    if args.no_wait {
        file.replace(&edited)?;
        output::note(format_args!(
            "{} is changed; the server was not contacted",
            args.config.display()
        ));
        return Ok(());
    }
    let connection = ServerConnection::open(&args.connection).await?;
    let config = ServedAlpha::from(connection.model_info().await?).config;
    let rejected_sha256 = config.pending_error.as_ref().map(|error| &error.file_sha256);
    if config.file_sha256 != file.sha256() && rejected_sha256 != Some(&file.sha256()) {
        bail!(
            "the server at {} does not run with {}: its settings file has other content\n  \
             Name the server's file with --config, or edit this file with --no-wait.",
            connection.address,
            args.config.display()
        );
    }
    file.replace(&edited)?;
    match wait_for_alpha(&connection, &edited.sha256(), alpha, args.timeout.into()).await {
        Ok(served) => served.print(args.json),
        Err(WaitError::Rejected(error)) => {
            file.restore(&edited)?;
            bail!(
                "the server rejects the change:{}\n  {} is restored.",
                violation_lines(&error.violations),
                args.config.display()
            )
        }
        Err(WaitError::Other(error)) => Err(error.context(format!("{} is changed", args.config.display()))),
    }
}

/// The reason why the server does not use the new alpha.
enum WaitError {
    /// The server rejects the edited file.
    Rejected(PendingError),
    /// The server is unreachable, overrides alpha, or takes too long.
    Other(anyhow::Error),
}

/// Polls the server until it uses `alpha` from the file with `sha256`.
async fn wait_for_alpha(
    connection: &ServerConnection,
    sha256: &str,
    alpha: Alpha,
    timeout: Duration,
) -> Result<ServedAlpha, WaitError> {
    let started = Instant::now();
    let status_line = progress_bar::status_line();
    loop {
        let info = connection.model_info().await.map_err(WaitError::Other)?;
        let served = ServedAlpha::from(info);
        if let Some(error) = &served.config.pending_error
            && error.file_sha256 == sha256
        {
            return Err(WaitError::Rejected(error.clone()));
        }
        let (is_loaded, expected) = (served.config.file_sha256 == sha256, alpha.get());
        if is_loaded && !is_same(served.config.target_alpha, expected) {
            return Err(WaitError::Other(anyhow::anyhow!(
                "the server has loaded the file, but uses alpha {}: its environment variable CERTIMIX__MIXTURE__ALPHA \
                 overrides mixture.alpha",
                served.alpha
            )));
        }
        if is_loaded && is_same(served.alpha, expected) {
            status_line.finish_and_clear();
            return Ok(served);
        }
        if started.elapsed() > timeout {
            return Err(WaitError::Other(anyhow::anyhow!(
                "the server still uses alpha {} after {}",
                served.alpha,
                humantime::format_duration(timeout)
            )));
        }
        status_line.set_message(format!("alpha {} -> {expected}", served.alpha));
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
