//! The HTTP routes of the metrics port: `/metrics`, `/livez` and `/readyz`.

use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use super::all::Metrics;
use super::error::MetricsError;
use super::server_state::ServerState;
use crate::live::CurrentSnapshot;
use crate::rpc::{AccessControl, ConnectionCounts, HealthReporter, RequestMemory};
use crate::telemetry::logs::LogHandle;
use crate::telemetry::traces::Tracer;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
/// The only format here. Every scraper reads it, also one that prefers OpenMetrics.
const PROMETHEUS_TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// The sources that the routes read on each request.
pub struct Routes {
    /// Metrics that are counted as things happen.
    pub metrics: Arc<Metrics>,
    /// The models in force.
    pub live: Arc<CurrentSnapshot>,
    /// The state of the health service.
    pub health: HealthReporter,
    /// The counts of the listeners.
    pub connections: Arc<ConnectionCounts>,
    /// The memory of requests.
    pub memory: Arc<RequestMemory>,
    /// The TLS certificates in force.
    pub access: Arc<AccessControl>,
    /// The exporter of traces, if there is one.
    pub tracer: Option<Tracer>,
    /// The logger, if this server controls it.
    pub logs: Option<LogHandle>,
}

impl Routes {
    /// Answers one request, except for the metrics. Its body is not read. This never waits, so that
    /// the probes are answered while a scrape waits for a lock.
    pub(super) fn handle(&self, request: &Request<Incoming>) -> Answer {
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are allowed\n");
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return Answer::Ready(response);
        }
        Answer::Ready(match request.uri().path() {
            "/metrics" => return Answer::Metrics,
            "/livez" => text(StatusCode::OK, "alive\n"),
            "/readyz" if self.health.is_serving() => text(StatusCode::OK, "serving\n"),
            "/readyz" => text(
                StatusCode::SERVICE_UNAVAILABLE,
                "not serving: the models are loading or broken, or the server is stopping\n",
            ),
            _ => text(StatusCode::NOT_FOUND, "no such path; try /metrics, /livez or /readyz\n"),
        })
    }

    /// The page of the metrics. `evictions` counts the connections to the metrics port that lost
    /// their slot. This takes some hundred microseconds, and may wait for locks.
    pub(super) fn metrics_page(&self, evictions: u64) -> Option<Bytes> {
        match self.metrics_text(evictions) {
            Ok(metrics) => Some(metrics.into()),
            Err(error) => {
                tracing::error!(%error, "cannot encode the metrics");
                None
            }
        }
    }

    fn metrics_text(&self, evictions: u64) -> Result<String, MetricsError> {
        let snapshot = self.live.load().ok();
        let classifier = snapshot.as_ref().map(|snapshot| &snapshot.classifier);
        let shadow = classifier.and_then(|classifier| classifier.shadow_report());
        self.metrics.text(&ServerState {
            load: classifier.map(|classifier| classifier.engine().scheduler_load()),
            serving: self.health.is_serving(),
            connections: &self.connections,
            memory: self.memory.usage(),
            metrics_evictions: evictions,
            certificate_expires: self.access.certificate_expiry(),
            untrusted_authorities: self.access.untrusted_authorities(wall_clock()).len(),
            lost_spans: self.tracer.as_ref().map_or(0, Tracer::lost_spans),
            dropped_log_lines: self.logs.as_ref().map_or(0, LogHandle::dropped_lines),
            shadow: shadow.as_ref(),
        })
    }
}

/// How a request is answered.
pub(super) enum Answer {
    /// With this response.
    Ready(Response<Full<Bytes>>),
    /// With the page of the metrics.
    Metrics,
}

/// The response with the page of the metrics; `None` if it cannot be encoded.
pub(super) fn metrics_response(page: Option<Bytes>) -> Response<Full<Bytes>> {
    match page {
        Some(page) => response(StatusCode::OK, PROMETHEUS_TEXT, page),
        None => text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be encoded\n"),
    }
}

/// The time of day, which only the validity of certificates depends on.
#[expect(clippy::disallowed_methods, reason = "an authority is valid until a date")]
fn wall_clock() -> std::time::SystemTime {
    std::time::SystemTime::now()
}

fn text(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    response(status, TEXT, body)
}

fn response(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
