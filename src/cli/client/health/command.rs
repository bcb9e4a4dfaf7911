//! The arguments of `certimix health`, and its output.

use std::time::Duration;

use clap::ValueEnum;
use serde_json::json;
use tonic_health::pb::health_check_response::ServingStatus;

use super::probe::{self, Health};
use crate::cli::client::connection::{AddressArgs, CredentialArgs, ServerEndpoint};
use crate::cli::output::{self, SilentExit};

const HELP: &str = "\
The command calls grpc.health.v1.Health/Check once. It prints one line: the
status to stdout, or the reason to stderr.

Exit codes:
  0  SERVING: the server is ready, or alive
  1  not ready: any other status, or the server refused the check
  2  unreachable: no connection, no answer within the deadline, or wrong usage

Examples:
  certimix health
  certimix health --probe liveness --address unix:/run/certimix.sock
  certimix health --address https://localhost:50051 --tls-ca ca.pem --json

On Kubernetes, use HTTP probes on the metrics port (/readyz and /livez): they
start no process, and they are answered also where all connections of the
request port are taken.";

/// Check whether a server is ready or alive, for probes
///
/// The health of a server needs no token, and no client certificate over the Unix socket.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = HELP)]
pub struct HealthArgs {
    /// The server
    #[command(flatten)]
    pub server: AddressArgs,

    /// The property to check
    #[arg(long, value_name = "PROBE", value_enum, default_value = "readiness")]
    pub probe: Probe,

    /// Ask for the status of this gRPC service instead, such as certimix.v1.MixedClassifier
    #[arg(long, value_name = "NAME", conflicts_with = "probe")]
    pub service: Option<String>,

    /// The time for the connection and the answer together, such as 500ms or 5s
    #[arg(long, value_name = "DURATION", default_value = "1s")]
    pub deadline: humantime::Duration,

    /// TLS and tokens
    #[command(flatten)]
    pub credentials: CredentialArgs,

    /// Print one JSON object to stdout instead, also where the server is unreachable
    #[arg(long)]
    pub json: bool,
}

/// A property of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Probe {
    /// Both models work, and the server accepts requests
    Readiness,
    /// The process answers, also while it loads models or drains
    Liveness,
}

impl Probe {
    /// The name of the health service that answers.
    fn service(self) -> &'static str {
        match self {
            Self::Readiness => "",
            Self::Liveness => "liveness",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Readiness => "readiness",
            Self::Liveness => "liveness",
        }
    }
}

/// Probes the server and prints one line.
///
/// # Errors
/// [`SilentExit`] with 1 if the server is not ready, and with 2 if it is unreachable or the
/// arguments are wrong.
pub async fn run(args: HealthArgs) -> anyhow::Result<()> {
    let service = args.service.as_deref().unwrap_or_else(|| args.probe.service());
    let endpoint = match ServerEndpoint::new(&args.server.address, &args.credentials) {
        Ok(endpoint) => endpoint,
        Err(error) => {
            output::error(output::error_text(&error));
            return Err(SilentExit(2).into());
        }
    };
    let health = probe::check(&endpoint, service, Duration::from(args.deadline)).await;
    if args.json {
        output::line(health_json(&args, &endpoint.address, service, &health))?;
    } else {
        match &health {
            Health::Status(status) => output::line(format_args!(
                "{} of {}: {}",
                subject(&args),
                endpoint.address,
                status.as_str_name()
            ))?,
            Health::Refused(reason) | Health::Unreachable(reason) => output::error(reason),
        }
    }
    match health.exit_code() {
        0 => Ok(()),
        code => Err(SilentExit(code).into()),
    }
}

/// The object of the check, in words.
fn subject(args: &HealthArgs) -> String {
    match &args.service {
        Some(service) => format!("service {service:?}"),
        None => args.probe.name().to_owned(),
    }
}

/// The result as one JSON object. Fields without a value are null.
fn health_json(args: &HealthArgs, address: &str, service: &str, health: &Health) -> serde_json::Value {
    let probe = args.service.is_none().then(|| args.probe.name());
    let (status, error) = match health {
        Health::Status(status) => (Some(status.as_str_name()), None),
        Health::Refused(reason) | Health::Unreachable(reason) => (None, Some(reason)),
    };
    json!({
        "address": address,
        "probe": probe,
        "service": service,
        "reachable": !matches!(health, Health::Unreachable(_)),
        "healthy": *health == Health::Status(ServingStatus::Serving),
        "status": status,
        "error": error,
    })
}
