//! The metrics, traces and logs of one server, composed from its settings.

use std::net::SocketAddr;
use std::sync::Arc;

use super::error::AppError;
use crate::call::{CallObserver, CallObservers};
use crate::live::CurrentSnapshot;
use crate::rpc::{AccessControl, RunningServer};
use crate::scheduler::ModelObserver;
use crate::settings::Settings;
use crate::telemetry::metrics::{Endpoint, Metrics, MetricsListener, Routes};
use crate::telemetry::{CallExporter, LogHandle, Tracer, Traces};

/// The metrics, traces and logs of one server.
pub(super) struct Observability {
    pub(super) metrics: Arc<Metrics>,
    /// The bound metrics port, until it is served.
    listener: Option<MetricsListener>,
    /// The address of the metrics port, if the settings name one.
    pub(super) metrics_address: Option<SocketAddr>,
    traces: Option<Traces>,
    logs: Option<LogHandle>,
}

impl Observability {
    /// Binds the metrics port and starts the export of traces.
    pub(super) fn start(settings: &Settings, logs: Option<LogHandle>) -> Result<Self, AppError> {
        let listener = settings.metrics.listen.map(MetricsListener::bind).transpose()?;
        Ok(Self {
            metrics: Arc::new(Metrics::new()?),
            metrics_address: listener.as_ref().map(MetricsListener::address),
            listener,
            traces: Traces::start(&settings.traces)?,
            logs,
        })
    }

    /// The observers of calls: traces and the request log, and the metrics if they are served.
    pub(super) fn call_observers(&self) -> CallObservers {
        let exporter: Arc<dyn CallObserver> = Arc::new(CallExporter::new(self.tracer()));
        let metrics = self.served_metrics().map(|metrics| metrics as Arc<dyn CallObserver>);
        CallObservers::new([exporter].into_iter().chain(metrics))
    }

    /// The observer of the executors: the metrics, if they are served.
    pub(super) fn model_observer(&self) -> Arc<dyn ModelObserver> {
        match self.served_metrics() {
            Some(metrics) => metrics,
            None => Arc::new(()),
        }
    }

    /// Serves the metrics port, if there is one, until the endpoint is dropped.
    pub(super) fn serve_metrics<F>(
        &mut self,
        live: &Arc<CurrentSnapshot>,
        access: &Arc<AccessControl>,
        server: &RunningServer<F>,
    ) -> Result<Option<Endpoint>, AppError> {
        let routes = Routes {
            metrics: Arc::clone(&self.metrics),
            live: Arc::clone(live),
            health: server.health.clone(),
            connections: Arc::clone(&server.connections),
            memory: Arc::clone(&server.memory),
            access: Arc::clone(access),
            tracer: self.tracer(),
            logs: self.logs.clone(),
        };
        let listener = self.listener.take();
        let serve = |listener| Endpoint::start(listener, Arc::new(routes));
        Ok(listener.map(serve).transpose()?)
    }

    /// Sends the queued spans. This blocks for as long as the receiver may take.
    pub(super) async fn flush(self) {
        let traces = self.traces;
        if let Err(error) = tokio::task::spawn_blocking(move || drop(traces)).await {
            tracing::error!(%error, "cannot send the last spans");
        }
    }

    fn tracer(&self) -> Option<Tracer> {
        self.traces.as_ref().map(Traces::tracer)
    }

    fn served_metrics(&self) -> Option<Arc<Metrics>> {
        self.metrics_address.map(|_| Arc::clone(&self.metrics))
    }
}
