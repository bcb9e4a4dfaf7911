//! Connections, failed authentication, certificate expiry, and lost spans and log lines.

use std::time::UNIX_EPOCH;

use prometheus::{Error, GaugeVec, IntCounter, IntGauge};

use super::registry::MetricRegistry;
use super::server_state::ServerState;

pub(super) struct TransportMetrics {
    open: IntGauge,
    accepted: IntCounter,
    refused: IntCounter,
    failed_handshakes: IntCounter,
    cut: IntCounter,
    unauthenticated: IntCounter,
    /// A family without labels, so that it can be absent.
    certificate_expiry: GaugeVec,
    untrusted_authorities: IntGauge,
    lost_spans: IntCounter,
    dropped_log_lines: IntCounter,
}

impl TransportMetrics {
    pub(super) fn new(registry: &MetricRegistry) -> Result<Self, Error> {
        let connections = registry.counters(
            "certimix_connections_total",
            "Connections by TCP and by the Unix socket, by whether the server accepted or refused them.",
            &["outcome"],
        )?;
        let failures = registry.counters(
            "certimix_connection_failures_total",
            "Accepted connections that the server closed on its own initiative, by reason.",
            &["reason"],
        )?;
        Ok(Self {
            open: registry.int_gauge("certimix_connections_open", "Open connections.")?,
            accepted: connections.get_metric_with_label_values(&["accepted"])?,
            refused: connections.get_metric_with_label_values(&["refused"])?,
            failed_handshakes: failures.get_metric_with_label_values(&["handshake"])?,
            cut: failures.get_metric_with_label_values(&["cut"])?,
            unauthenticated: registry.counter(
                "certimix_unauthenticated_requests_total",
                "Requests without a known token.",
            )?,
            certificate_expiry: registry.gauges(
                "certimix_tls_certificate_expiry_timestamp_seconds",
                "When the first certificate of tls.certificate expires, in seconds since 1970; absent without TLS.",
                &[],
            )?,
            untrusted_authorities: registry.int_gauge(
                "certimix_tls_client_authorities_untrusted",
                "Authorities in tls.client_ca that are expired or not valid yet, and therefore not trusted.",
            )?,
            lost_spans: registry.counter(
                "certimix_trace_spans_lost_total",
                "Spans that were dropped or not delivered, because the queue was full or the receiver failed.",
            )?,
            dropped_log_lines: registry.counter(
                "certimix_log_lines_dropped_total",
                "Log lines that were dropped because standard error was too slow.",
            )?,
        })
    }

    pub(super) fn set(&self, state: &ServerState) {
        let connections = state.connections;
        self.open.set(i64::try_from(connections.open()).unwrap_or(i64::MAX));
        self.untrusted_authorities
            .set(i64::try_from(state.untrusted_authorities).unwrap_or(i64::MAX));
        for (counter, value) in [
            (&self.accepted, connections.accepted()),
            (&self.refused, connections.refused()),
            (&self.failed_handshakes, connections.failed_handshakes()),
            (&self.cut, connections.aborted()),
            (&self.unauthenticated, connections.unauthenticated()),
            (&self.lost_spans, state.lost_spans),
            (&self.dropped_log_lines, state.dropped_log_lines),
        ] {
            // A concurrent scrape may hold an older value; a counter must not decrease.
            counter.inc_by(value.saturating_sub(counter.get()));
        }
        self.certificate_expiry.reset();
        let Some(expires) = state.certificate_expires else {
            return;
        };
        if let Ok(gauge) = self.certificate_expiry.get_metric_with_label_values::<&str>(&[]) {
            // A date before 1970 becomes 0, which has expired too.
            let since = expires.duration_since(UNIX_EPOCH).unwrap_or_default();
            gauge.set(since.as_secs_f64());
        }
    }
}
