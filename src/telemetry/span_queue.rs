//! The bounded queue of spans for an OTLP receiver, with a count of the lost spans.
//!
//! The SDK's batch processor does the work, on threads of its own. It does not report how many spans
//! its queue refused and how many its exporter failed to send, so this file counts them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use opentelemetry::Context;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanProcessor};
use tokio::runtime::Handle;

/// The largest number of queued spans. A request creates up to five.
pub(super) const MAX_QUEUED_SPANS: usize = 4096;
/// The largest number of spans in one message.
const MAX_BATCH_SPANS: usize = 512;
/// The delay between two batches.
const BATCH_DELAY: Duration = Duration::from_secs(1);
/// The time limit of one message, including its retries.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
/// The shortest time between two log lines about lost spans.
const LOSS_LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Counts of queued and lost spans.
#[derive(Debug, Default)]
pub(super) struct SpanCounts {
    queued: AtomicUsize,
    refused: AtomicU64,
    failed: AtomicU64,
}

impl SpanCounts {
    /// Lost spans: the queue was full, or the receiver was unreachable or rejected them.
    pub(super) fn lost(&self) -> u64 {
        self.refused.load(Ordering::Relaxed) + self.failed.load(Ordering::Relaxed)
    }
}

/// The queue and the exporter to `endpoint`, whose I/O runs on `runtime`.
///
/// # Errors
/// If the endpoint is invalid, or an `OTEL_EXPORTER_OTLP_…` variable requests a feature that is not
/// built in.
pub(super) fn span_queue(
    endpoint: &str,
    runtime: &Handle,
    counts: &Arc<SpanCounts>,
) -> Result<SpanQueue, ExporterBuildError> {
    // The channel belongs to the runtime in which it is created.
    let guard = runtime.enter();
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(EXPORT_TIMEOUT)
        .build()?;
    drop(guard);
    let sender = CountingExporter {
        exporter: Arc::new(exporter),
        runtime: runtime.clone(),
        counts: Arc::clone(counts),
        last_logged: std::sync::Mutex::new(None),
    };
    let config = BatchConfigBuilder::default()
        .with_max_queue_size(MAX_QUEUED_SPANS)
        .with_max_export_batch_size(MAX_BATCH_SPANS)
        .with_scheduled_delay(BATCH_DELAY)
        .build();
    Ok(SpanQueue {
        batches: BatchSpanProcessor::new(sender, config),
        counts: Arc::clone(counts),
    })
}

/// Limits the number of queued spans, so that the batch processor's own queue never refuses one.
#[derive(Debug)]
pub(super) struct SpanQueue {
    batches: BatchSpanProcessor,
    counts: Arc<SpanCounts>,
}

impl SpanProcessor for SpanQueue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.counts.queued.fetch_add(1, Ordering::Relaxed) >= MAX_QUEUED_SPANS {
            self.counts.queued.fetch_sub(1, Ordering::Relaxed);
            self.counts.refused.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.batches.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

/// Exports batches one after the other on the batch processor's thread, and counts failures.
#[derive(Debug)]
struct CountingExporter {
    exporter: Arc<SpanExporter>,
    runtime: Handle,
    counts: Arc<SpanCounts>,
    /// The time of the last log line about losses, and the count at that time.
    last_logged: std::sync::Mutex<Option<(Instant, u64)>>,
}

impl CountingExporter {
    fn log_losses(&self, failure: Option<&OTelSdkError>) {
        let (lost, now) = (self.counts.lost(), Instant::now());
        let mut last_logged = self
            .last_logged
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let due =
            last_logged.is_none_or(|(when, before)| lost > before && now.duration_since(when) >= LOSS_LOG_INTERVAL);
        if lost > 0 && due {
            *last_logged = Some((now, lost));
            let reason = failure.map_or_else(|| "the receiver is too slow".to_owned(), ToString::to_string);
            tracing::warn!(
                lost,
                reason,
                "spans lost (traces.endpoint); logged at most once a minute"
            );
        }
    }
}

impl opentelemetry_sdk::trace::SpanExporter for CountingExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        self.counts.queued.fetch_sub(spans, Ordering::Relaxed);
        let exporter = Arc::clone(&self.exporter);
        let sent = self.runtime.spawn(async move {
            // The exporter's own timeout applies to each attempt.
            tokio::time::timeout(EXPORT_TIMEOUT, exporter.export(batch)).await
        });
        let sent = match sent.await {
            Ok(Ok(sent)) => sent,
            Ok(Err(_)) => Err(OTelSdkError::Timeout(EXPORT_TIMEOUT)),
            Err(error) => Err(OTelSdkError::InternalFailure(error.to_string())),
        };
        if sent.is_err() {
            let spans = u64::try_from(spans).unwrap_or(u64::MAX);
            self.counts.failed.fetch_add(spans, Ordering::Relaxed);
        }
        self.log_losses(sent.as_ref().err());
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        // No export has started yet, so this is the only reference.
        if let Some(exporter) = Arc::get_mut(&mut self.exporter) {
            exporter.set_resource(resource);
        }
    }
}
