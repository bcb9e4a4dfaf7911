//! The export of traces to an OTLP receiver.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};

use super::span_queue::{SpanCounts, span_queue};
use crate::settings::TraceSettings;

/// The time limit for queued spans at the end of the process.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// Why traces cannot be exported.
#[derive(Debug, Error)]
pub enum TracesError {
    /// `traces.endpoint` or an `OTEL_EXPORTER_OTLP_…` variable is invalid.
    #[error("cannot send traces to {endpoint} (traces.endpoint): {reason}")]
    Endpoint {
        /// The endpoint in the settings.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The thread that sends spans cannot be started.
    #[error("cannot start the thread that sends traces: {0}")]
    Thread(#[from] std::io::Error),
}

/// The trace exporter of the process. Dropping it blocks until the queued spans are sent or a time
/// limit has passed.
#[derive(Debug)]
#[must_use = "dropping it ends the export"]
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: Tracer,
    /// The runtime of the exporter's I/O. The runtime of the server may have one thread, which must
    /// not wait for a receiver.
    runtime: Option<Runtime>,
}

/// Records spans. Clones share one queue.
#[derive(Debug, Clone)]
pub struct Tracer {
    pub(super) sdk: SdkTracer,
    counts: Arc<SpanCounts>,
}

impl Tracer {
    /// The number of lost spans since the start: the queue was full, or the receiver was unreachable
    /// or rejected them.
    #[must_use]
    pub fn lost_spans(&self) -> u64 {
        self.counts.lost()
    }
}

impl Traces {
    /// Starts the export; `None` if `settings` name no endpoint. An unreachable receiver is no error:
    /// it may come up later, and until then spans are lost and counted.
    ///
    /// # Errors
    /// If the endpoint is not a valid URL or the thread cannot be started.
    pub fn start(settings: &TraceSettings) -> Result<Option<Self>, TracesError> {
        let Some(endpoint) = &settings.endpoint else {
            return Ok(None);
        };
        // A multi-thread runtime, because a current-thread runtime has no worker to drive the I/O.
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("traces")
            .enable_all()
            .build()?;
        let counts = Arc::new(SpanCounts::default());
        let queue = span_queue(endpoint, runtime.handle(), &counts).map_err(|reason| TracesError::Endpoint {
            endpoint: endpoint.clone(),
            reason: reason.to_string(),
        })?;
        let resource = Resource::builder()
            .with_service_name(settings.service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(
                settings.sample_ratio,
            ))))
            .with_resource(resource)
            .with_span_processor(queue)
            .build();
        let tracer = Tracer {
            sdk: provider.tracer("certimix"),
            counts,
        };
        Ok(Some(Self {
            provider,
            tracer,
            runtime: Some(runtime),
        }))
    }

    /// The recorder of spans.
    #[must_use]
    pub fn tracer(&self) -> Tracer {
        self.tracer.clone()
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if self.provider.shutdown_with_timeout(FLUSH_TIMEOUT).is_err() {
            tracing::warn!(bound = ?FLUSH_TIMEOUT, "queued spans lost: the receiver of traces.endpoint did not take them in time");
        }
        let lost = self.tracer.lost_spans();
        if lost > 0 {
            tracing::warn!(lost, "spans lost since the start (traces.endpoint)");
        }
        // Do not wait for an export that is still running: its receiver does not answer.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
