//! Sends spans to an OTLP receiver: a bounded queue, threads of its own, and a count of what was lost.
//!
//! The SDK's batch processor does the work. Around it stands what it does not tell: how many spans its queue refused, and
//! how many its exporter could not send.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use opentelemetry::Context;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanProcessor};
use tokio::runtime::Handle;

/// Spans that wait to be sent, at most; a request makes up to five.
const WAITING_SPANS: usize = 4096;
/// Spans in one message.
const BATCH: usize = 512;
/// Spans wait for company this long.
const EVERY: Duration = Duration::from_secs(1);
/// One message, its retries included.
const SENDING: Duration = Duration::from_secs(5);
/// Losses are told at most once in this time.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// What became of the spans.
#[derive(Debug, Default)]
pub(super) struct Account {
    waiting: AtomicUsize,
    refused: AtomicU64,
    failed: AtomicU64,
}

impl Account {
    /// Spans that no receiver will see: the queue was full, or the receiver could not be reached or did not want them.
    pub(super) fn lost(&self) -> u64 {
        self.refused.load(Ordering::Relaxed) + self.failed.load(Ordering::Relaxed)
    }
}

/// The queue before the exporter to `endpoint`, whose I/O happens on `runtime`.
///
/// # Errors
/// If the endpoint is none, or one of the standard's `OTEL_EXPORTER_OTLP_…` variables asks for what is not built in.
pub(super) fn queue(endpoint: &str, runtime: &Handle, account: &Arc<Account>) -> Result<Queue, ExporterBuildError> {
    // The channel is made on the runtime that will drive it.
    let guard = runtime.enter();
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(SENDING)
        .build()?;
    drop(guard);
    let sender = Sender {
        exporter: Arc::new(exporter),
        runtime: runtime.clone(),
        account: Arc::clone(account),
        told: std::sync::Mutex::new(None),
    };
    let config = BatchConfigBuilder::default()
        .with_max_queue_size(WAITING_SPANS)
        .with_max_export_batch_size(BATCH)
        .with_scheduled_delay(EVERY)
        .build();
    Ok(Queue {
        batches: BatchSpanProcessor::new(sender, config),
        account: Arc::clone(account),
    })
}

/// Lets spans in as long as there is room, so that the queue behind it never refuses one.
#[derive(Debug)]
pub(super) struct Queue {
    batches: BatchSpanProcessor,
    account: Arc<Account>,
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.account.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING_SPANS {
            self.account.waiting.fetch_sub(1, Ordering::Relaxed);
            self.account.refused.fetch_add(1, Ordering::Relaxed);
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

/// Sends batches, one after the other, from the batch processor's thread.
#[derive(Debug)]
struct Sender {
    exporter: Arc<SpanExporter>,
    runtime: Handle,
    account: Arc<Account>,
    /// When losses were told last, and how many there were by then.
    told: std::sync::Mutex<Option<(Instant, u64)>>,
}

impl Sender {
    fn tell(&self, failure: Option<&OTelSdkError>) {
        let (lost, now) = (self.account.lost(), Instant::now());
        let mut told = self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let due = told.is_none_or(|(when, before)| lost > before && now.duration_since(when) >= TOLD_EVERY);
        if lost > 0 && due {
            *told = Some((now, lost));
            let reason = failure.map_or_else(|| "the receiver is too slow".to_owned(), ToString::to_string);
            tracing::warn!(
                lost,
                reason,
                "spans were lost (traces.endpoint); told once a minute at most"
            );
        }
    }
}

impl opentelemetry_sdk::trace::SpanExporter for Sender {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        self.account.waiting.fetch_sub(spans, Ordering::Relaxed);
        let exporter = Arc::clone(&self.exporter);
        let sent = self.runtime.spawn(async move {
            // The exporter's own timeout is for each try.
            tokio::time::timeout(SENDING, exporter.export(batch)).await
        });
        let sent = match sent.await {
            Ok(Ok(sent)) => sent,
            Ok(Err(_)) => Err(OTelSdkError::Timeout(SENDING)),
            Err(error) => Err(OTelSdkError::InternalFailure(error.to_string())),
        };
        if sent.is_err() {
            let spans = u64::try_from(spans).unwrap_or(u64::MAX);
            self.account.failed.fetch_add(spans, Ordering::Relaxed);
        }
        self.tell(sent.as_ref().err());
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        // Nothing is being sent yet, so that nobody else holds it.
        if let Some(exporter) = Arc::get_mut(&mut self.exporter) {
            exporter.set_resource(resource);
        }
    }
}
