//! A server whose metrics, log and traces are read.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;

use crate::support::Setup;
use crate::support::process::ServerProcess;
use crate::support::scrape::Scrape;
use crate::support::trace_collector::{TraceCollector, string_attribute};

/// The calls by what is recorded of them.
pub(super) type Counts = BTreeMap<(String, String, String), u64>;

fn counted(metrics: SocketAddr) -> Counts {
    let scrape = Scrape::fetch(metrics);
    let label = |id: &str, name: &str| {
        let (_, rest) = id.split_once(&format!("{name}=\"")).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let requests = scrape
        .series
        .iter()
        .filter(|(id, _)| id.starts_with("certimix_requests_total{"));
    let counts = requests.filter(|(id, count)| **count > 0.0 && !id.contains("GetModelInfo"));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts are small"
    )]
    counts
        .map(|(id, count)| {
            (
                (label(id, "rpc"), label(id, "outcome"), label(id, "code")),
                *count as u64,
            )
        })
        .collect()
}

/// Waits until `total` calls are counted, and returns the counts.
pub(super) fn wait_for(metrics: SocketAddr, total: u64) -> Counts {
    for _ in 0..500 {
        let counts = counted(metrics);
        if counts.values().sum::<u64>() >= total {
            return counts;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    counted(metrics)
}

/// A server that logs and traces every call.
pub(super) struct ObservedServer {
    process: ServerProcess,
    pub(super) address: SocketAddr,
    pub(super) metrics: SocketAddr,
    collector: TraceCollector,
    _setup: Setup,
}

impl ObservedServer {
    pub(super) async fn start(setup: Setup) -> Self {
        let collector = TraceCollector::start().await;
        let setup = setup
            .with("open_inference.enabled", true)
            .text("metrics.listen", "127.0.0.1:0")
            .text("log.format", "json")
            .text("log.filter", "info,certimix::request=debug")
            .text("traces.endpoint", &collector.endpoint)
            .with("traces.sample_ratio", "1.0");
        let process = ServerProcess::spawn(&setup.write());
        let ready: Value = serde_json::from_str(&process.line_with("\"ready\"")).unwrap();
        let of = |key: &str| ready[key].as_str().unwrap().parse().unwrap();
        Self {
            address: of("address"),
            metrics: of("metrics"),
            process,
            collector,
            _setup: setup,
        }
    }

    /// Stops the server. The log and the traces must hold exactly `counts`.
    pub(super) async fn assert_records(mut self, counts: Counts) {
        self.process.signal("TERM");
        assert!(self.process.wait().success());
        let lines = self.process.rest();
        let mut logged = Counts::new();
        for line in &lines {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
            if line["target"] == "certimix::request" && line["rpc"] != "GetModelInfo" {
                let text = |key: &str| line[key].as_str().unwrap().to_owned();
                *logged.entry((text("rpc"), text("outcome"), text("code"))).or_default() += 1;
            }
        }
        assert_eq!(logged, counts, "the log");
        let mut traced = Counts::new();
        let total: u64 = counts.values().sum();
        while traced.values().sum::<u64>() < total {
            for span in self.collector.next_spans(1).await {
                let attributes = &span.span.attributes;
                let has = |key: &str| attributes.iter().any(|attribute| attribute.key == key);
                if !has("certimix.outcome") || string_attribute(attributes, "rpc.method") == "GetModelInfo" {
                    continue;
                }
                let text = |key: &str| string_attribute(attributes, key).to_owned();
                let outcome = text("certimix.outcome");
                let code = counts
                    .keys()
                    .find(|key| key.1 == outcome && key.0 == text("rpc.method"));
                let code = code.unwrap_or_else(|| panic!("an unknown span: {attributes:?}"));
                let is_error = span.span.status.clone().unwrap_or_default().code == 2;
                assert!(
                    !is_error || outcome != "invalid" || has_caller_error_code(&span.span),
                    "{attributes:?}"
                );
                *traced.entry((code.0.clone(), outcome, String::new())).or_default() += 1;
            }
        }
        let mut without_codes = Counts::new();
        for ((rpc, outcome, _), count) in counts {
            *without_codes.entry((rpc, outcome, String::new())).or_default() += count;
        }
        assert_eq!(traced, without_codes, "the traces");
    }
}

/// Whether the conventions of OpenTelemetry call the code an error although the caller is at fault.
fn has_caller_error_code(span: &opentelemetry_proto::tonic::trace::v1::Span) -> bool {
    use opentelemetry_proto::tonic::common::v1::any_value::Value::IntValue;
    let code = span
        .attributes
        .iter()
        .find(|one| one.key == "rpc.grpc.status_code")
        .unwrap();
    // UNIMPLEMENTED
    matches!(code.value.as_ref().unwrap().value, Some(IntValue(12)))
}
