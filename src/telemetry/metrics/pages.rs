//! What is answered on the metrics' port: three pages, and a hint.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use super::MetricsError;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
/// The format that every scraper reads, and the only one here: whoever would rather have OpenMetrics takes it too.
const METRICS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Where the pages come from.
pub trait Pages: Send + Sync {
    /// All metrics.
    ///
    /// # Errors
    /// If they cannot be written.
    fn metrics(&self) -> Result<String, MetricsError>;

    /// Whether the server says that it serves: what `grpc.health.v1` answers.
    fn serves(&self) -> bool;
}

/// Answers one request. Its body is not read.
pub(super) fn answer(pages: &Arc<dyn Pages>, request: &Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here\n");
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Ok(response);
    }
    Ok(match request.uri().path() {
        "/metrics" => match pages.metrics() {
            Ok(metrics) => page(StatusCode::OK, METRICS, metrics),
            Err(error) => {
                tracing::error!(%error, "metrics cannot be written");
                text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n")
            }
        },
        "/livez" => text(StatusCode::OK, "alive\n"),
        "/readyz" if pages.serves() => text(StatusCode::OK, "serving\n"),
        "/readyz" => text(
            StatusCode::SERVICE_UNAVAILABLE,
            "not serving: the models are loading or broken, or the server is stopping\n",
        ),
        _ => text(
            StatusCode::NOT_FOUND,
            "there is nothing here; try /metrics, /livez or /readyz\n",
        ),
    })
}

fn text(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    page(status, TEXT, body)
}

fn page(status: StatusCode, kind: HeaderValue, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
