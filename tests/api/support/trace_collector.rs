//! A trace collector: OTLP's own gRPC service.

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, async_trait};

use super::server::TEST_TIMEOUT;

/// A span, and the attributes of its resource.
#[derive(Debug, Clone)]
pub struct ReceivedSpan {
    pub span: Span,
    pub resource: Vec<KeyValue>,
}

/// Collects spans until the test drops it.
pub struct TraceCollector {
    pub endpoint: String,
    spans: UnboundedReceiver<ReceivedSpan>,
}

struct CollectorService(UnboundedSender<ReceivedSpan>);

#[async_trait]
impl TraceService for CollectorService {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for group in request.into_inner().resource_spans {
            let resource = group.resource.unwrap_or_default().attributes;
            for span in group.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                let resource = resource.clone();
                self.0.send(ReceivedSpan { span, resource }).unwrap();
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl TraceCollector {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (sender, spans) = unbounded_channel();
        let server = Server::builder()
            .add_service(TraceServiceServer::new(CollectorService(sender)))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        Self { endpoint, spans }
    }

    /// Receives the next `count` spans, in order of arrival.
    pub async fn next_spans(&mut self, count: usize) -> Vec<ReceivedSpan> {
        let mut received = Vec::new();
        while received.len() < count {
            match tokio::time::timeout(TEST_TIMEOUT, self.spans.recv()).await {
                Ok(Some(span)) => received.push(span),
                _ => panic!("expected {count} spans, received {received:#?}"),
            }
        }
        received
    }

    /// Receives the spans of one request: the server span and `children` stage spans.
    pub async fn next_request(&mut self, children: usize) -> RequestTrace {
        let spans = self.next_spans(1 + children).await;
        // A span without a parent among these is the server's.
        let is_child = |one: &ReceivedSpan| spans.iter().any(|other| other.span.span_id == one.span.parent_span_id);
        let (stages, servers): (Vec<_>, Vec<_>) = spans.iter().cloned().partition(is_child);
        assert_eq!(servers.len(), 1, "{spans:#?}");
        RequestTrace {
            server: servers.into_iter().next().unwrap(),
            stages: stages.into_iter().map(|received| received.span).collect(),
        }
    }

    /// Returns whether no further span has arrived.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }
}

/// The spans of one request.
#[derive(Debug)]
pub struct RequestTrace {
    pub server: ReceivedSpan,
    pub stages: Vec<Span>,
}

impl RequestTrace {
    pub fn stage_names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.stages.iter().map(|stage| stage.name.as_str()).collect();
        names.sort_unstable();
        names
    }

    pub fn string_attribute(&self, key: &str) -> String {
        string_attribute(&self.server.span.attributes, key)
    }

    pub fn int_attribute(&self, key: &str) -> i64 {
        match value(&self.server.span.attributes, key) {
            Some(Value::IntValue(number)) => number,
            other => panic!("{key} is {other:?}"),
        }
    }

    pub fn double_attribute(&self, key: &str) -> f64 {
        match value(&self.server.span.attributes, key) {
            Some(Value::DoubleValue(number)) => number,
            other => panic!("{key} is {other:?}"),
        }
    }
}

/// Returns the value of a string attribute.
pub fn string_attribute(attributes: &[KeyValue], key: &str) -> String {
    match value(attributes, key) {
        Some(Value::StringValue(text)) => text,
        other => panic!("{key} is {other:?} in {attributes:#?}"),
    }
}

fn value(attributes: &[KeyValue], key: &str) -> Option<Value> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    found.value.clone()?.value
}
