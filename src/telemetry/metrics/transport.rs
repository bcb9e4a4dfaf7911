//! Connections, failed authentication, certificate expiry, and lost spans and log lines.

use std::time::UNIX_EPOCH;

use prometheus::{Error, GaugeVec, IntCounter, IntGauge};

use super::registry::MetricRegistry;
use super::server_state::ServerState;

pub(super) struct TransportMetrics {
    open: IntGauge,
    accepted: IntCounter,
    refused: IntCounter,
    refused_all_busy: IntCounter,
    refused_peer_limit: IntCounter,
    evicted_pending: IntCounter,
    evicted_idle: IntCounter,
    evicted_metrics: IntCounter,
    failed_handshakes: IntCounter,
    cut: IntCounter,
    frame_floods: IntCounter,
    reset_floods: IntCounter,
    protocol_errors: IntCounter,
    begun_resets: IntCounter,
    unbegun_resets: IntCounter,
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
        let resets = registry.counters(
            "certimix_request_resets_total",
            "Requests that their callers reset, by whether the server had begun them.",
            &["begun"],
        )?;
        let refusals = registry.counters(
            "certimix_connection_refusals_total",
            "New connections that were closed at once, by reason.",
            &["reason"],
        )?;
        let evictions = registry.counters(
            "certimix_connection_evictions_total",
            "Open connections that lost their slot to a new one, by reason.",
            &["reason"],
        )?;
        Ok(Self {
            open: registry.int_gauge("certimix_connections_open", "Open connections.")?,
            accepted: connections.get_metric_with_label_values(&["accepted"])?,
            refused: connections.get_metric_with_label_values(&["refused"])?,
            refused_all_busy: refusals.get_metric_with_label_values(&["all_busy"])?,
            refused_peer_limit: refusals.get_metric_with_label_values(&["peer_limit"])?,
            evicted_pending: evictions.get_metric_with_label_values(&["pending"])?,
            evicted_idle: evictions.get_metric_with_label_values(&["idle"])?,
            evicted_metrics: registry.counter(
                "certimix_metrics_connection_evictions_total",
                "Connections to the metrics port that lost their slot to a new one.",
            )?,
            failed_handshakes: failures.get_metric_with_label_values(&["handshake"])?,
            cut: failures.get_metric_with_label_values(&["cut"])?,
            frame_floods: failures.get_metric_with_label_values(&["flood"])?,
            reset_floods: failures.get_metric_with_label_values(&["resets"])?,
            protocol_errors: failures.get_metric_with_label_values(&["protocol"])?,
            begun_resets: resets.get_metric_with_label_values(&["yes"])?,
            unbegun_resets: resets.get_metric_with_label_values(&["no"])?,
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
            (
                &self.refused,
                connections.refused_all_busy() + connections.refused_peer_limit(),
            ),
            (&self.refused_all_busy, connections.refused_all_busy()),
            (&self.refused_peer_limit, connections.refused_peer_limit()),
            (&self.evicted_pending, connections.evicted_pending()),
            (&self.evicted_idle, connections.evicted_idle()),
            (&self.evicted_metrics, state.metrics_evictions),
            (&self.failed_handshakes, connections.failed_handshakes()),
            (&self.cut, connections.aborted()),
            (&self.frame_floods, connections.frame_floods()),
            (&self.reset_floods, connections.reset_floods()),
            (&self.protocol_errors, connections.protocol_errors()),
            (&self.begun_resets, connections.begun_resets()),
            (&self.unbegun_resets, connections.unbegun_resets()),
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
