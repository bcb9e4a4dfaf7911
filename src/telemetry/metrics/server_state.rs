//! The state of the server that a scrape reads.

use std::time::SystemTime;

use crate::classifier::ShadowReport;
use crate::rpc::{ConnectionCounts, MemoryUsage};
use crate::scheduler::SchedulerLoad;

/// The state of the server at the time of a scrape. Calls and batches are counted as they happen
/// and are not part of it.
#[derive(Debug, Clone, Copy)]
pub struct ServerState<'a> {
    /// The load of the scheduler; `None` while no models are loaded.
    pub load: Option<SchedulerLoad>,
    /// Whether the health service reports `SERVING`.
    pub serving: bool,
    /// Connections since the start.
    pub connections: &'a ConnectionCounts,
    /// The memory of requests.
    pub memory: MemoryUsage,
    /// Connections to the metrics port that lost their slot.
    pub metrics_evictions: u64,
    /// When the first of the TLS certificates expires; `None` without TLS.
    pub certificate_expires: Option<SystemTime>,
    /// The authorities in `tls.client_ca` that are not valid now, and therefore not trusted.
    pub untrusted_authorities: usize,
    /// Spans that were dropped or not delivered.
    pub lost_spans: u64,
    /// Log lines that were dropped.
    pub dropped_log_lines: u64,
    /// The counts of the shadow candidates; `None` without any.
    pub shadow: Option<&'a ShadowReport>,
}
