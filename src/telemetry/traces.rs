//! Traces: spans of the requests that are traced, sent to an OTLP receiver.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};

use super::export::{self, Account};
use crate::settings::TraceSettings;

/// How long the spans that wait may hold up the end of the process.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// Why there can be no traces.
#[derive(Debug, Error)]
pub enum TracesError {
    /// The endpoint, or a variable of the OTLP standard.
    #[error("cannot send traces to {endpoint} (traces.endpoint): {reason}")]
    Endpoint {
        /// As set.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The thread that sends.
    #[error("cannot start the thread that sends traces: {0}")]
    Thread(#[from] std::io::Error),
}

/// The process's traces. Dropping it sends the spans that wait, within a bound, and blocks meanwhile.
#[derive(Debug)]
#[must_use = "dropping it ends the traces"]
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: Tracer,
    /// The sender's I/O: the server's own runtime may be one thread, which must not wait for a receiver.
    runtime: Option<Runtime>,
}

/// Makes spans. Clones share it.
#[derive(Debug, Clone)]
pub struct Tracer {
    pub(super) sdk: SdkTracer,
    account: Arc<Account>,
}

impl Tracer {
    /// Spans so far that no receiver will see: there were too many, or it could not be reached or did not want them.
    #[must_use]
    pub fn lost_spans(&self) -> u64 {
        self.account.lost()
    }
}

impl Traces {
    /// Starts to send traces as `settings` say; none if they name no endpoint. That the receiver is not there is no error:
    /// it may come, and until then spans are lost and counted.
    ///
    /// # Errors
    /// If the endpoint cannot be one.
    pub fn start(settings: &TraceSettings) -> Result<Option<Self>, TracesError> {
        let Some(endpoint) = &settings.endpoint else {
            return Ok(None);
        };
        // A worker of its own drives it, which a runtime of the current thread would not have.
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("traces")
            .enable_all()
            .build()?;
        let account = Arc::new(Account::default());
        let queue = export::queue(endpoint, runtime.handle(), &account).map_err(|reason| TracesError::Endpoint {
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
            account,
        };
        Ok(Some(Self {
            provider,
            tracer,
            runtime: Some(runtime),
        }))
    }

    /// What makes the spans.
    #[must_use]
    pub fn tracer(&self) -> Tracer {
        self.tracer.clone()
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if self.provider.shutdown_with_timeout(LAST_SPANS).is_err() {
            tracing::warn!(bound = ?LAST_SPANS, "the last spans could not be sent in time (traces.endpoint); they are lost");
        }
        let lost = self.tracer.lost_spans();
        if lost > 0 {
            tracing::warn!(lost, "spans were lost since the start (traces.endpoint)");
        }
        // Waits for nothing: what is still being sent goes to a receiver that does not answer.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
