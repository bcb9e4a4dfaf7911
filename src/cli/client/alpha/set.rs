//! `certimix alpha set`: diagnoses, edits the settings file, and waits for the server.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::bail;

use super::change_report::{ChangeReport, ShadowCounts};
use super::diagnosis::check_effect;
use super::replacement::{Replacement, replace};
use super::served_alpha::{ServedAlpha, is_same};
use super::settings_file::{SettingsFile, SettingsText};
use crate::certificate::{Alpha, Temperature};
use crate::cli::client::connection::error_messages::violation_lines;
use crate::cli::client::connection::{ConnectionArgs, ServerConnection};
use crate::cli::{output, progress_bar};
use crate::rpc::proto::{GetShadowReportRequest, PendingError};

#[derive(Debug, Clone, clap::Args)]
pub(super) struct SetArgs {
    /// The new weight of the robust model, from 0 to 1
    alpha: f64,

    /// Also set the weight for inputs on which nothing can be certified, from 0 to alpha
    #[arg(long, value_name = "WEIGHT")]
    fallback_alpha: Option<f64>,

    /// Also set the temperature of the robust model, from 1e-6 to 1e6
    #[arg(long, value_name = "T")]
    robust_temperature: Option<f64>,

    /// The server's settings file
    #[arg(long, value_name = "FILE", env = "CERTIMIX_CONFIG")]
    config: PathBuf,

    /// The server
    #[command(flatten)]
    connection: ConnectionArgs,

    /// How long to wait for the server. A ramp (mixture.alpha_ramp) that takes longer goes on
    /// without the command
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
/// When the file cannot be edited, an edit would have no effect, another process changes the file,
/// or the server rejects the change or does not use it in time. Only an error that says so leaves
/// the file changed.
pub(super) async fn set(args: SetArgs) -> anyhow::Result<()> {
    let alpha = Alpha::new(args.alpha)?;
    let file = SettingsFile::open(&args.config)?;
    let fallback_alpha = args.fallback_alpha.map(Alpha::new).transpose()?;
    let temperature = args.robust_temperature.map(Temperature::new).transpose()?;
    let mut edited = file.with_alpha(alpha, fallback_alpha)?;
    if let Some(temperature) = temperature {
        edited = file.with_temperature(&edited, temperature)?;
    }
    if !alpha.can_certify() {
        output::note("warning: at alpha 0.5 and below nothing can be certified");
    }
    if args.no_wait {
        replace(&file, &file.text, &edited)?;
        output::note(format_args!(
            "{} is changed; the server was not contacted",
            args.config.display()
        ));
        return Ok(());
    }
    // The new text is ready before the server is asked, so that a file that cannot be changed is
    // reported first. It also keeps a second command out until the change is made.
    let replacement = Replacement::prepare(&file, &file.text, &edited)?;
    let connection = ServerConnection::open(&args.connection).await?;
    let before = ServedAlpha::from(connection.model_info().await?);
    let mut keys = vec!["mixture.alpha"];
    keys.extend(fallback_alpha.map(|_| "mixture.fallback_alpha"));
    keys.extend(temperature.map(|_| "mixture.robust_temperature"));
    for note in check_effect(&before, &file, &keys, &connection.address)? {
        output::note(note);
    }
    let shadow = shadow_counts(&connection, alpha, file.fallback_alpha(&edited)).await;
    if edited != file.text {
        replacement.commit()?;
    }
    let change = PendingChange {
        connection: &connection,
        file: &file,
        before: KnownFiles::of(&before),
        edited: &edited,
        alpha: alpha.get(),
        fallback_alpha: fallback_alpha.map(Alpha::get),
        robust_temperature: temperature.map(Temperature::get),
    };
    match change.wait(args.timeout.into()).await {
        Ok(after) => ChangeReport { before, after, shadow }.print(args.json),
        Err(WaitError::Rejected(error)) => {
            replace(&file, &edited, &file.text)?;
            bail!(
                "the server rejects the change:{}\n  {} is restored.",
                violation_lines(&error.violations),
                args.config.display()
            )
        }
        Err(WaitError::Superseded(served)) => bail!(
            "another process has changed {} after this command, so alpha {} is lost: {}, and the server uses alpha {}\n  \
             `certimix alpha get` shows what it uses.",
            args.config.display(),
            alpha.get(),
            alpha_of_file(&args.config),
            served.to_text()
        ),
        Err(WaitError::Other(error)) => Err(error.context(format!("{} is changed", args.config.display()))),
    }
}

/// The alpha that another process has put into the file.
fn alpha_of_file(path: &std::path::Path) -> String {
    match SettingsFile::open(path).ok().and_then(|file| file.alpha()) {
        Some(alpha) => format!("the file has alpha {alpha} now"),
        None => "the file has no valid alpha now".to_owned(),
    }
}

/// The shadow counts of `alpha` before the change. They are advice: without them the change goes on.
async fn shadow_counts(
    connection: &ServerConnection,
    alpha: Alpha,
    fallback_alpha: Option<f64>,
) -> Option<ShadowCounts> {
    let request = connection.request(GetShadowReportRequest {});
    let report = connection.client.clone().get_shadow_report(request).await.ok()?;
    ShadowCounts::of(report.into_inner(), alpha.get(), fallback_alpha)
}

/// The reason why the server does not use the new alpha.
enum WaitError {
    /// The server rejects the edited file.
    Rejected(PendingError),
    /// The file has another text than this command wrote, or the server has read another text.
    Superseded(Box<ServedAlpha>),
    /// The server is unreachable, overrides alpha, or takes too long.
    Other(anyhow::Error),
}

/// The SHA-256 of the settings files that the server knew before the change.
struct KnownFiles {
    in_force: String,
    rejected: Option<String>,
}

impl KnownFiles {
    fn of(served: &ServedAlpha) -> Self {
        let rejected = served.config.pending_error.as_ref();
        Self {
            in_force: served.config.file_sha256.clone(),
            rejected: rejected.map(|error| error.file_sha256.clone()),
        }
    }

    /// Whether the server has read a file that is neither one of these nor the file with `own`.
    fn has_another(&self, served: &ServedAlpha, own: &str) -> bool {
        let found = Self::of(served);
        // An empty one stands for a file that could not be read.
        let is_unknown = |sha256: &String| {
            !sha256.is_empty() && *sha256 != own && *sha256 != self.in_force && Some(sha256) != self.rejected.as_ref()
        };
        is_unknown(&found.in_force) || found.rejected.as_ref().is_some_and(is_unknown)
    }
}

/// A change that is in the file, and that the server may not use yet.
struct PendingChange<'a> {
    connection: &'a ServerConnection,
    file: &'a SettingsFile,
    edited: &'a SettingsText,
    before: KnownFiles,
    alpha: f64,
    /// `None` if the command does not change it.
    fallback_alpha: Option<f64>,
    /// `None` if the command does not change it.
    robust_temperature: Option<f64>,
}

impl PendingChange<'_> {
    /// Polls the server until it uses the new alpha. A ramp that takes longer than `timeout` is not
    /// an error.
    async fn wait(&self, timeout: Duration) -> Result<ServedAlpha, WaitError> {
        let (started, sha256) = (Instant::now(), self.edited.sha256());
        let status_line = progress_bar::status_line();
        loop {
            let info = self.connection.model_info().await.map_err(WaitError::Other)?;
            let served = ServedAlpha::from(info);
            let is_loaded = served.config.file_sha256 == sha256;
            if is_loaded && self.is_in_force(&served) {
                status_line.finish_and_clear();
                return Ok(served);
            }
            if let Some(error) = &served.config.pending_error
                && error.file_sha256 == sha256
            {
                return Err(WaitError::Rejected(error.clone()));
            }
            if is_loaded && !is_same(served.config.target_alpha, self.alpha) {
                return Err(WaitError::Other(anyhow::anyhow!(
                    "the server has loaded the file, but uses alpha {}: its environment variable \
                     CERTIMIX__MIXTURE__ALPHA overrides mixture.alpha",
                    served.alpha
                )));
            }
            if let Some(temperature) = self.robust_temperature.filter(|_| is_loaded)
                && !is_same(served.robust_temperature, temperature)
            {
                return Err(WaitError::Other(anyhow::anyhow!(
                    "the server has loaded the file, but uses the temperature {}: its environment variable \
                     CERTIMIX__MIXTURE__ROBUST_TEMPERATURE overrides mixture.robust_temperature",
                    served.robust_temperature
                )));
            }
            // The server may have read another change, although the file has the text again.
            if !self.file.has(self.edited) || self.before.has_another(&served, &sha256) {
                return Err(WaitError::Superseded(Box::new(served)));
            }
            // A ramp that outlives the timeout goes on without this command.
            let is_on_long_ramp = is_loaded && self.file.alpha_ramp() > timeout;
            if is_on_long_ramp || started.elapsed() > timeout {
                status_line.finish_and_clear();
                return self.without_end(served, is_loaded, timeout);
            }
            status_line.set_message(format!("alpha {} → {}", served.alpha, self.alpha));
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Whether the server uses the new weights.
    fn is_in_force(&self, served: &ServedAlpha) -> bool {
        let has_fallback = |weight| served.fallback_alpha.is_some_and(|served| is_same(served, weight));
        let has_temperature = |temperature| is_same(served.robust_temperature, temperature);
        is_same(served.alpha, self.alpha)
            && self.fallback_alpha.is_none_or(has_fallback)
            && self.robust_temperature.is_none_or(has_temperature)
    }

    /// The result of a wait that does not see the new alpha: the server is on a ramp, or it has not
    /// read the file.
    fn without_end(&self, served: ServedAlpha, is_loaded: bool, timeout: Duration) -> Result<ServedAlpha, WaitError> {
        if is_loaded {
            let ramp = humantime::format_duration(self.file.alpha_ramp());
            output::note(format_args!(
                "the server has read the change, and the ramp goes on: mixture.alpha_ramp is {ramp}"
            ));
            return Ok(served);
        }
        Err(WaitError::Other(anyhow::anyhow!(
            "the server still uses alpha {} after {}, and has not read the new file\n  If its container mounts this one \
             file, it still sees the old one: mount the folder. Otherwise its log says what it waits for.",
            served.alpha,
            humantime::format_duration(timeout)
        )))
    }
}
