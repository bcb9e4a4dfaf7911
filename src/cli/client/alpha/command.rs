//! `certimix alpha`: reads and changes alpha of a running server.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Subcommand;
use serde_json::json;

use crate::certificate::Alpha;
use crate::cli::client::alpha::settings_file::SettingsFile;
use crate::cli::client::connection::server_connection::{Connection, ConnectionArgs};
use crate::cli::client::results::summary::short_revision;
use crate::cli::output::{self, EXIT_CODES};
use crate::cli::progress_bar::Progress;
use crate::rpc::proto::{ConfigStatus, FieldViolation, GetModelInfoResponse, PendingError};

const EXAMPLES: &str = "\
Examples:
  certimix alpha get
  certimix alpha set 0.8 --config config/cifar10.toml
  certimix alpha set 0.8 --config /etc/certimix/certimix.toml --address 10.0.0.7:50051

alpha is the weight of the robust model in the mixture: more of it makes answers harder to fool and less accurate. Below 0.5 \
nothing can be certified. `certimix shadow` shows what other values would have answered on live traffic.

set edits the settings file in one step, keeps its comments, and waits until the server answers with the new value; if the \
server refuses it, the old file is put back. A file that comes from a Kubernetes ConfigMap is changed there instead.";

/// Arguments of `certimix alpha`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub struct AlphaArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, Subcommand)]
enum What {
    /// Show alpha as the server has it in force, and what it is on its way to
    Get(GetArgs),
    /// Change alpha in the settings file, and wait until the server answers with it
    Set(SetArgs),
}

#[derive(Debug, Clone, clap::Args)]
struct GetArgs {
    /// The server
    #[command(flatten)]
    connection: ConnectionArgs,

    /// One JSON object instead
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, clap::Args)]
struct SetArgs {
    /// The new weight of the robust model, from 0 to 1
    alpha: f64,

    /// The settings file that the server runs with
    #[arg(long, value_name = "FILE", env = "CERTIMIX_CONFIG")]
    config: PathBuf,

    /// The server
    #[command(flatten)]
    connection: ConnectionArgs,

    /// How long to wait for the server; a ramp (mixture.alpha_ramp) takes its time
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    timeout: humantime::Duration,

    /// Only edit the file: do not ask any server
    #[arg(long)]
    no_wait: bool,

    /// One JSON object instead
    #[arg(long)]
    json: bool,
}

/// How often the server is asked whether it has the new value.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// Shows or changes alpha.
///
/// # Errors
/// A server that cannot be reached or refuses the change, a file that cannot be edited.
pub async fn run(args: AlphaArgs) -> anyhow::Result<()> {
    match args.what {
        What::Get(args) => get(args).await,
        What::Set(args) => set(args).await,
    }
}

async fn get(args: GetArgs) -> anyhow::Result<()> {
    let info = Connection::open(&args.connection).await?.model_info().await?;
    show(&State::of(info), args.json)
}

async fn set(args: SetArgs) -> anyhow::Result<()> {
    let alpha = Alpha::new(args.alpha)?;
    let file = SettingsFile::open(&args.config)?;
    let new = file.with_alpha(alpha)?;
    if !alpha.can_certify() {
        output::note("warning: at 0.5 and below nothing can be certified; every answer will say so");
    }
    if args.no_wait {
        file.replace(&new)?;
        output::note(format_args!(
            "{} is changed; no server was asked",
            args.config.display()
        ));
        return Ok(());
    }
    let connection = Connection::open(&args.connection).await?;
    let config = State::of(connection.model_info().await?).config;
    let known = config.pending_error.as_ref().map(|pending| &pending.file_sha256);
    if config.file_sha256 != file.sha256() && known != Some(&file.sha256()) {
        bail!(
            "the server at {} does not run with {}: that file says something else\n  \
             Name its own file with --config, or edit without asking it with --no-wait.",
            connection.address,
            args.config.display()
        );
    }
    file.replace(&new)?;
    match wait(&connection, &new.sha256(), alpha, args.timeout.into()).await {
        Ok(state) => show(&state, args.json),
        Err(Failure::Refused(pending)) => {
            file.put_back(&new)?;
            bail!(
                "the server refuses it:{}\n  {} is as it was before.",
                lines(&pending.violations),
                args.config.display()
            )
        }
        Err(Failure::Other(error)) => Err(error.context(format!("{} is changed", args.config.display()))),
    }
}

/// Why a server does not answer with the new alpha.
enum Failure {
    Refused(PendingError),
    Other(anyhow::Error),
}

async fn wait(connection: &Connection, sha256: &str, alpha: Alpha, timeout: Duration) -> Result<State, Failure> {
    let began = Instant::now();
    let bar = Progress::live_line();
    loop {
        let info = connection.model_info().await.map_err(Failure::Other)?;
        let state = State::of(info);
        if let Some(pending) = &state.config.pending_error
            && pending.file_sha256 == sha256
        {
            return Err(Failure::Refused(pending.clone()));
        }
        let (seen, wanted) = (state.config.file_sha256 == sha256, alpha.get());
        if seen && differs(state.config.target_alpha, wanted) {
            return Err(Failure::Other(anyhow::anyhow!(
                "the server has the file, but serves alpha {}: mixture.alpha is overridden there by \
                 CERTIMIX__MIXTURE__ALPHA",
                state.alpha
            )));
        }
        if seen && !differs(state.alpha, wanted) {
            bar.finish_and_clear();
            return Ok(state);
        }
        if began.elapsed() > timeout {
            return Err(Failure::Other(anyhow::anyhow!(
                "the server still answers with alpha {} after {}",
                state.alpha,
                humantime::format_duration(timeout)
            )));
        }
        bar.set_message(format!("alpha {} -> {wanted}", state.alpha));
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// Both were printed and parsed: nothing but the same number is the same.
fn differs(left: f64, right: f64) -> bool {
    left.to_bits() != right.to_bits()
}

/// What a server says of its alpha.
struct State {
    alpha: f64,
    revision: String,
    unavailable_reason: String,
    config: ConfigStatus,
}

impl State {
    fn of(info: GetModelInfoResponse) -> Self {
        let provenance = info.provenance.unwrap_or_default();
        Self {
            alpha: provenance.alpha,
            revision: provenance.config_revision,
            unavailable_reason: info.unavailable_reason,
            config: info.config.unwrap_or_default(),
        }
    }
}

fn show(state: &State, as_json: bool) -> anyhow::Result<()> {
    let pending = state.config.pending_error.as_ref();
    if as_json {
        return output::line(json!({
            "alpha": state.alpha,
            "target_alpha": state.config.target_alpha,
            "config_revision": state.revision,
            "unavailable_reason": state.unavailable_reason,
            "pending_error": pending.map(|pending| lines(&pending.violations).trim().to_owned()),
        }));
    }
    let revision = short_revision(&state.revision);
    if differs(state.alpha, state.config.target_alpha) {
        let target = state.config.target_alpha;
        output::line(format_args!(
            "alpha {} (on its way to {target}), config {revision}",
            state.alpha
        ))?;
    } else {
        output::line(format_args!("alpha {}, config {revision}", state.alpha))?;
    }
    if !state.unavailable_reason.is_empty() {
        output::note(format_args!("nothing can be certified: {}", state.unavailable_reason));
    }
    if let Some(pending) = pending {
        let wrong = lines(&pending.violations);
        output::note(format_args!("its settings file says something that it refuses:{wrong}"));
    }
    Ok(())
}

/// Each violation on a line of its own.
pub(crate) fn lines(violations: &[FieldViolation]) -> String {
    let line = |wrong: &FieldViolation| format!("\n  {}: {}", wrong.field, wrong.description);
    violations.iter().map(line).collect()
}
