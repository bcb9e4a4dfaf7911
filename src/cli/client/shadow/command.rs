//! The arguments of `certimix shadow`, and the polling of the report.

use std::time::Duration;

use anyhow::bail;

use super::json::report_json;
use super::table::{header_lines, report_table};
use crate::cli::client::connection::{ConnectionArgs, ServerConnection, error_messages};
use crate::cli::output::{self, EXIT_CODES};
use crate::cli::progress_bar;
use crate::rpc::proto::{GetShadowReportRequest, GetShadowReportResponse};

/// Printed where the server has no candidates.
pub(in crate::cli::client) const NO_CANDIDATES: &str = "\
the server has no shadow candidates: set mixture.shadow_candidates in its
settings file, such as
  [mixture]
  shadow_candidates = [{ alpha = 0.7 }, { alpha = 0.8, fallback_alpha = 0.0 }]
The server then starts to count, without a restart.";

const HELP: &str = "\
A candidate is a whole mixture: alpha, fallback_alpha and the temperature of
the robust model. What an entry leaves out is as in the served mixture.

How to choose the next mixture:
  1. List candidates around the mixture in force, in the server's settings file:
       mixture.shadow_candidates = [
         { alpha = 0.7 },
         { alpha = 0.8, fallback_alpha = 0.0 },
         { alpha = 0.8, robust_temperature = 0.5 },
       ]
     mixture.shadow_alphas = [0.7, 0.8] is short for candidates that differ in
     alpha only. The server loads them while it serves. They change no answer
     and delay no request.
  2. Watch this table under real traffic until the numbers are stable.
  3. With a larger alpha, more inputs are certified, with larger radii, and the
     mixture agrees less with the standard model, which is the more accurate
     one. Where the true classes are unknown, \"as g\" estimates this loss of
     accuracy. A smaller alpha has the opposite effect. At 0.5 and below
     nothing can be certified.
  4. A smaller fallback_alpha changes no certificate. It brings the answers
     without one closer to the standard model: \"as g\" grows. These answers
     then have less of the robustness of the robust model.
  5. The temperature (Lipschitz models with logits) trades \"as g\" for certified
     inputs too, in another proportion: try some values at each alpha.
  6. Of the candidates that certify enough inputs, take the one with the largest
     \"as g\": set mixture.alpha, mixture.fallback_alpha and
     mixture.robust_temperature to it.

Columns:
  fallback   fallback_alpha, if any mixture has a smaller one than its alpha
  T          the temperature, if the mixtures have different ones
  same       share of inputs with the class that was served
  as g       share of inputs with the class of the standard model alone
  certified  share of inputs with a certificate. For a smoothed model
             \"40–70 %\" means: 40 % on the votes that were drawn for the
             served mixture; for the other 30 %, this candidate would have
             drawn more votes, and the result is unknown
  likely     the certified share if the missing votes were distributed like the
             drawn ones: an estimate, not a bound
  change     change of the certified share against the served mixture, in
             percentage points
  gained     inputs with a certificate from this candidate, but not from the
             served mixture
  lost       inputs with a certificate from the served mixture, but not from
             this candidate
  median     a lower bound for half of the certified radii, from the histogram,
             rounded down
  radii      the histogram, one bar for each bucket, from the smallest radius to
             the largest
  votes      mean number of estimation votes that this candidate would have
             drawn for an input
◀ marks the served mixture. A narrow terminal shows the most important columns.

The counts restart when old and new ones would not be comparable: after a change
of the mixture, of the candidates, of the models or of [certificate]. They are
statistics of the traffic, not certificates.

Examples:
  certimix shadow
  certimix shadow --once
  certimix shadow --json --interval 10s | jq '.candidates[]
    | {alpha, fallback_alpha, robust_temperature, certified, inputs}'";

/// Show how other mixtures would have answered the live traffic
///
/// On a terminal the table is updated every second. Where stdout is not a terminal it is printed
/// once.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = format!("{HELP}\n\n{EXIT_CODES}"))]
pub struct ShadowArgs {
    /// The server
    #[command(flatten)]
    pub connection: ConnectionArgs,

    /// Print the table, or the JSON object, once
    #[arg(long)]
    pub once: bool,

    /// Print one JSON object a line: certimix.v1's GetShadowReportResponse, at every interval, or
    /// one with --once
    #[arg(long)]
    pub json: bool,

    /// The time between two requests
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = parse_interval, conflicts_with = "once")]
    pub interval: Duration,
}

/// The shortest interval, so that the command does not load the server.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

fn parse_interval(text: &str) -> Result<Duration, String> {
    let interval: Duration = text
        .parse::<humantime::Duration>()
        .map_err(|error| error.to_string())?
        .into();
    if interval < MIN_INTERVAL {
        return Err("expected 100ms or more".to_owned());
    }
    Ok(interval)
}

/// Calls `GetShadowReport` once or repeatedly, and prints the report.
///
/// # Errors
/// When the server is unreachable, or it has no candidates and the command does not wait for them.
pub async fn run(args: ShadowArgs) -> anyhow::Result<()> {
    let connection = ServerConnection::open(&args.connection).await?;
    if args.json {
        return print_json(&connection, &args).await;
    }
    if args.once || !output::stdout_can_redraw() {
        return print_once(&connection).await;
    }
    let live_block = progress_bar::live_block();
    let outcome = tokio::select! {
        outcome = follow(&connection, args.interval, |text| live_block.set_message(text)) => outcome,
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Into::into),
    };
    // The last table stays on the screen.
    live_block.abandon();
    outcome
}

async fn print_json(connection: &ServerConnection, args: &ShadowArgs) -> anyhow::Result<()> {
    loop {
        output::line(report_json(&shadow_report(connection).await?))?;
        if args.once {
            return Ok(());
        }
        tokio::time::sleep(args.interval).await;
    }
}

async fn print_once(connection: &ServerConnection) -> anyhow::Result<()> {
    let report = shadow_report(connection).await?;
    if report.serving.is_none() {
        bail!(NO_CANDIDATES);
    }
    for line in header_lines(&report) {
        output::line(line)?;
    }
    output::table(report_table(&report, output::width()))
}

async fn follow(connection: &ServerConnection, interval: Duration, show: impl Fn(String)) -> anyhow::Result<()> {
    loop {
        let report = shadow_report(connection).await?;
        show(if report.serving.is_none() {
            format!("{NO_CANDIDATES}\nWaiting for them ...")
        } else {
            let mut table = report_table(&report, output::width());
            output::style_table(&mut table);
            let table = table.to_string();
            [header_lines(&report), vec![table]].concat().join("\n")
        });
        tokio::time::sleep(interval).await;
    }
}

/// Calls `GetShadowReport`.
pub(in crate::cli::client) async fn shadow_report(
    connection: &ServerConnection,
) -> anyhow::Result<GetShadowReportResponse> {
    let request = connection.request(GetShadowReportRequest {});
    let response = connection.client.clone().get_shadow_report(request).await;
    Ok(response
        .map_err(|status| error_messages::from_status(&status))?
        .into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_have_a_minimum() {
        assert_eq!(parse_interval("2s"), Ok(Duration::from_secs(2)));
        for wrong in ["0s", "99ms", "soon", ""] {
            assert!(parse_interval(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_help_fits_80_columns() {
        for line in HELP.lines().chain(NO_CANDIDATES.lines()) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    #[test]
    fn the_message_without_candidates_names_the_key() {
        assert!(NO_CANDIDATES.contains("mixture.shadow_candidates"));
    }
}
