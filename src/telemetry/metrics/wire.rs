//! Connections, who may not talk, and until when the certificate holds; and what is lost on the way to those who watch: read when
//! somebody asks.

use std::time::UNIX_EPOCH;

use prometheus::{Error, GaugeVec, IntCounter, IntGauge};

use super::maker::Maker;
use super::moment::Moment;

pub(super) struct WireMetrics {
    open: IntGauge,
    accepted: IntCounter,
    refused: IntCounter,
    failed_handshakes: IntCounter,
    cut: IntCounter,
    unauthenticated: IntCounter,
    /// Without a label; a family, so that it can be absent.
    certificate_expiry: GaugeVec,
    lost_spans: IntCounter,
    dropped_log_lines: IntCounter,
}

impl WireMetrics {
    pub(super) fn new(maker: &Maker) -> Result<Self, Error> {
        let connections = maker.counters(
            "certimix_connections_total",
            "Connections that came, by TCP and by the Unix socket, by whether there was room for them.",
            &["outcome"],
        )?;
        let failures = maker.counters(
            "certimix_connection_failures_total",
            "Connections that were let in and then closed from here without the peer's doing, by the reason.",
            &["reason"],
        )?;
        Ok(Self {
            open: maker.whole_gauge("certimix_connections_open", "Connections that are open.")?,
            accepted: connections.get_metric_with_label_values(&["accepted"])?,
            refused: connections.get_metric_with_label_values(&["refused"])?,
            failed_handshakes: failures.get_metric_with_label_values(&["handshake"])?,
            cut: failures.get_metric_with_label_values(&["cut"])?,
            unauthenticated: maker.counter(
                "certimix_unauthenticated_requests_total",
                "Requests that showed no token that is known.",
            )?,
            certificate_expiry: maker.gauges(
                "certimix_tls_certificate_expiry_timestamp_seconds",
                "When the first certificate of tls.certificate ends, in seconds since 1970; absent without TLS.",
                &[],
            )?,
            lost_spans: maker.counter(
                "certimix_trace_spans_lost_total",
                "Spans that no receiver will see: there were too many, or it could not be reached or did not want them.",
            )?,
            dropped_log_lines: maker.counter(
                "certimix_log_lines_dropped_total",
                "Lines of the log that nobody will read, because standard error was too slow.",
            )?,
        })
    }

    pub(super) fn set(&self, moment: &Moment) {
        let connections = &moment.connections;
        self.open.set(i64::try_from(connections.open).unwrap_or(i64::MAX));
        for (counter, value) in [
            (&self.accepted, connections.accepted),
            (&self.refused, connections.refused),
            (&self.failed_handshakes, connections.failed_handshakes),
            (&self.cut, connections.cut),
            (&self.unauthenticated, connections.unauthenticated),
            (&self.lost_spans, moment.lost_spans),
            (&self.dropped_log_lines, moment.dropped_log_lines),
        ] {
            // Two who ask at once must not turn it back.
            counter.inc_by(value.saturating_sub(counter.get()));
        }
        self.certificate_expiry.reset();
        let Some(expires) = moment.certificate_expires else {
            return;
        };
        if let Ok(gauge) = self.certificate_expiry.get_metric_with_label_values::<&str>(&[]) {
            // One that ended before 1970 has ended.
            let since = expires.duration_since(UNIX_EPOCH).unwrap_or_default();
            gauge.set(since.as_secs_f64());
        }
    }
}
