//! A receiver of traces: OTLP's own service, over gRPC, as a collector has it.

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

/// A span, and whose it is.
#[derive(Debug, Clone)]
pub struct ReceivedSpan {
    pub span: Span,
    pub resource: Vec<KeyValue>,
}

/// Receives until it is dropped with its test.
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
        for of_resource in request.into_inner().resource_spans {
            let resource = of_resource.resource.unwrap_or_default().attributes;
            for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
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

    /// The next `count` spans, as they come.
    pub async fn next_spans(&mut self, count: usize) -> Vec<ReceivedSpan> {
        let mut received = Vec::new();
        while received.len() < count {
            match tokio::time::timeout(TEST_TIMEOUT, self.spans.recv()).await {
                Ok(Some(span)) => received.push(span),
                _ => panic!("{count} spans were expected; there are {received:#?}"),
            }
        }
        received
    }

    /// The spans of a whole request: the server's, and its children by their names.
    pub async fn next_request(&mut self, children: usize) -> RequestTrace {
        let spans = self.next_spans(1 + children).await;
        // Whoever has no parent among them.
        let is_inner = |one: &ReceivedSpan| spans.iter().any(|other| other.span.span_id == one.span.parent_span_id);
        let (inner, outer): (Vec<_>, Vec<_>) = spans.iter().cloned().partition(is_inner);
        assert_eq!(outer.len(), 1, "{spans:#?}");
        RequestTrace {
            server: outer.into_iter().next().unwrap(),
            stages: inner.into_iter().map(|received| received.span).collect(),
        }
    }

    /// Whether nothing more has come by now.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }
}

/// One request.
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
}

/// A text among attributes.
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
