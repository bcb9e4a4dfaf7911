//! The memory of requests, and the requests that found none.

use prometheus::{Error, IntCounter, IntGauge};

use super::registry::MetricRegistry;
use crate::rpc::MemoryUsage;

pub(super) struct RequestMemoryMetrics {
    half_sent: IntGauge,
    held: IntGauge,
    limit: IntGauge,
    refused: IntCounter,
    evicted: IntCounter,
}

impl RequestMemoryMetrics {
    pub(super) fn new(registry: &MetricRegistry) -> Result<Self, Error> {
        let bytes = registry.int_gauges(
            "certimix_request_memory_bytes",
            "Memory of the requests that are not answered, by whether they have arrived completely.",
            &["state"],
        )?;
        let refusals = registry.counters(
            "certimix_request_memory_refusals_total",
            "Requests that found no memory: their caller held its share, or they were half sent when others needed it.",
            &["reason"],
        )?;
        Ok(Self {
            half_sent: bytes.get_metric_with_label_values(&["half_sent"])?,
            held: bytes.get_metric_with_label_values(&["complete"])?,
            limit: registry.int_gauge(
                "certimix_request_memory_limit_bytes",
                "The setting server.request_memory_bytes.",
            )?,
            refused: refusals.get_metric_with_label_values(&["share_held"])?,
            evicted: refusals.get_metric_with_label_values(&["half_sent"])?,
        })
    }

    pub(super) fn set(&self, usage: MemoryUsage) {
        let wide = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
        self.half_sent.set(wide(usage.half_sent_bytes));
        self.held.set(wide(usage.held_bytes));
        self.limit.set(wide(usage.limit_bytes));
        // A concurrent scrape may hold an older value; a counter must not decrease.
        self.refused.inc_by(usage.refused.saturating_sub(self.refused.get()));
        self.evicted.inc_by(usage.evicted.saturating_sub(self.evicted.get()));
    }
}
