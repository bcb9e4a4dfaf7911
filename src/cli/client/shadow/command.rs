//! `certimix shadow`.

use std::time::Duration;

use anyhow::bail;
use serde_json::{Value, json};

use crate::cli::client::connection::error_messages as failure;
use crate::cli::client::connection::server_connection::{Connection, ConnectionArgs};
use crate::cli::client::results::enum_names as names;
use crate::cli::client::results::prediction_record::ProvenanceRecord;
use crate::cli::client::shadow::table as shadow_table;
use crate::cli::output::{self, EXIT_CODES};
use crate::cli::progress_bar::Progress;
use crate::rpc::proto::{GetShadowReportRequest, GetShadowReportResponse, ShadowRow};

/// Said where there is nothing to show.
const NO_CANDIDATES: &str = "\
the server has no shadow alphas: set mixture.shadow_alphas in its settings file, such as
  [mixture]
  shadow_alphas = [0.6, 0.7, 0.9]
and it counts from then on, without a restart";

const HOW_TO_CHOOSE: &str = "\
How to pick the next alpha:
  1. List candidates around the alpha in force, in the server's settings file:
       mixture.shadow_alphas = [0.7, 0.8, 0.9]
     The server takes them up while it serves. They change no answer and hold up no request.
  2. Watch this table under real traffic until the numbers stand still.
  3. A larger alpha listens more to the robust model: more is certified, with larger radii,
     and it agrees less with the standard model, which is the more accurate one: \"as g\" is
     the price, where nobody knows the true classes. A smaller alpha is the other way round;
     under 0.5 nothing can be certified.
  4. Take the smallest alpha that certifies as much as you need: put it into mixture.alpha.

Columns:
  same       answered the class that was served
  as g       answered the class that the standard model alone would have answered
  certified  would have been certified. For a smoothed model \"40–70 %\": 40 % on the votes
             that were drawn for the alpha that serves; for the other 30 % this alpha would
             have drawn more votes, so there is no telling
  likely     the same if the votes that were not drawn had fallen like those that were:
             a guess, not a bound
  change     of the certified share, in points, against the alpha that serves
  gained     inputs that were served without a certificate and would have had one
  lost       the other way round
  median     half of the certified radii are at least this, from the histogram, rounded down
  radii      the histogram, one bar a bucket, from the smallest radius in sight to the largest
  votes      estimation votes an input that this alpha would have drawn
A terminal of less than 120 columns shows the most telling of them.

The counts begin anew when they would not compare like with like: another alpha, other
candidates, models or [certificate]. They are statistics of the traffic, never certificates.

Examples:
  certimix shadow
  certimix shadow --once
  certimix shadow --json --interval 10s | jq '.candidates[] | {alpha, certified, inputs}'";

/// Show what other alphas would have answered to the live traffic
///
/// In a terminal the table is drawn anew every second. Where stdout is no terminal it is printed once.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = format!("{HOW_TO_CHOOSE}\n\n{EXIT_CODES}"))]
pub struct ShadowArgs {
    /// The server
    #[command(flatten)]
    pub connection: ConnectionArgs,

    /// Print the table, or the JSON object, once
    #[arg(long)]
    pub once: bool,

    /// One JSON object a line: certimix.v1's GetShadowReportResponse, one every interval, or one with --once
    #[arg(long)]
    pub json: bool,

    /// How often to ask
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = interval, conflicts_with = "once")]
    pub interval: Duration,
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval: Duration = text
        .parse::<humantime::Duration>()
        .map_err(|error| error.to_string())?
        .into();
    if interval < Duration::from_millis(100) {
        return Err("expected 100ms or more".to_owned());
    }
    Ok(interval)
}

/// Shows what the server counted.
///
/// # Errors
/// A server that cannot be reached, or one without candidates where there is no waiting for them.
pub async fn run(args: ShadowArgs) -> anyhow::Result<()> {
    let connection = Connection::open(&args.connection).await?;
    if args.json {
        return follow_json(&connection, &args).await;
    }
    if args.once || !output::stdout_is_terminal() {
        return show_once(&connection).await;
    }
    let live = Progress::live_lines();
    let outcome = tokio::select! {
        outcome = follow(&connection, args.interval, |text| live.set_message(text)) => outcome,
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Into::into),
    };
    // What was seen last stays on the screen.
    live.abandon();
    outcome
}

async fn follow_json(connection: &Connection, args: &ShadowArgs) -> anyhow::Result<()> {
    loop {
        output::line(as_json(&ask(connection).await?))?;
        if args.once {
            return Ok(());
        }
        tokio::time::sleep(args.interval).await;
    }
}

async fn show_once(connection: &Connection) -> anyhow::Result<()> {
    let report = ask(connection).await?;
    if report.serving.is_none() {
        bail!(NO_CANDIDATES);
    }
    for line in shadow_table::header(&report) {
        output::line(line)?;
    }
    output::line(shadow_table::table(&report))
}

async fn follow(connection: &Connection, interval: Duration, show: impl Fn(String)) -> anyhow::Result<()> {
    loop {
        let report = ask(connection).await?;
        show(if report.serving.is_none() {
            format!("{NO_CANDIDATES}\nWaiting for them …")
        } else {
            let table = shadow_table::table(&report).to_string();
            [shadow_table::header(&report), vec![table]].concat().join("\n")
        });
        tokio::time::sleep(interval).await;
    }
}

async fn ask(connection: &Connection) -> anyhow::Result<GetShadowReportResponse> {
    let request = connection.request(GetShadowReportRequest {});
    let answer = connection.client.clone().get_shadow_report(request).await;
    Ok(answer.map_err(|status| failure::explain(&status))?.into_inner())
}

fn as_json(report: &GetShadowReportResponse) -> Value {
    json!({
        "provenance": report.provenance.clone().map(ProvenanceRecord::from),
        "serving": report.serving.as_ref().map(row_json),
        "candidates": report.candidates.iter().map(row_json).collect::<Vec<_>>(),
        "since_unix_ms": report.since_unix_ms,
        "since_revision": report.since_revision,
        "on_the_way": report.on_the_way,
        "dropped": report.dropped,
        "radius_bounds": report.radius_bounds,
        "norm": names::norm(report.norm),
        "draws_votes": report.draws_votes,
    })
}

fn row_json(row: &ShadowRow) -> Value {
    json!({
        "alpha": row.alpha, "inputs": row.inputs, "agreements": row.agreements,
        "standard_agreements": row.standard_agreements, "certified": row.certified, "gained": row.gained,
        "lost": row.lost, "unfinished": row.unfinished, "open": row.open, "likely": row.likely, "votes": row.votes, "radii": row.radii, "radius_sum": row.radius_sum,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals() {
        assert_eq!(interval("2s"), Ok(Duration::from_secs(2)));
        for wrong in ["0s", "99ms", "soon", ""] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(NO_CANDIDATES.contains("mixture.shadow_alphas"));
        assert_eq!(as_json(&GetShadowReportResponse::default())["serving"], Value::Null);
    }
}
