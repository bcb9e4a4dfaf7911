//! A client of PredictStream that sends and receives messages one by one.

use certimix::rpc::proto::predict_stream_response::Outcome;
use certimix::rpc::proto::{
    PredictRequest, PredictResponse, PredictStreamRequest, PredictStreamResponse, RequestError,
};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Request, Status, Streaming};

use super::server::{Client, TEST_TIMEOUT};

/// An open stream.
pub struct PredictStreamClient {
    requests: UnboundedSender<PredictStreamRequest>,
    responses: Streaming<PredictStreamResponse>,
}

impl PredictStreamClient {
    /// Opens a stream. `prepare` may set its metadata.
    pub async fn open_with(
        mut client: Client,
        prepare: impl FnOnce(&mut Request<UnboundedReceiverStream<PredictStreamRequest>>),
    ) -> Self {
        let (requests, outgoing) = unbounded_channel();
        let mut request = Request::new(UnboundedReceiverStream::new(outgoing));
        prepare(&mut request);
        let responses = client.predict_stream(request).await.unwrap().into_inner();
        Self { requests, responses }
    }

    pub async fn open(client: Client) -> Self {
        Self::open_with(client, |_| {}).await
    }

    /// Sends a request with the operator's time limit.
    pub fn send(&self, request: PredictRequest) {
        self.send_with_timeout(request, 0);
    }

    pub fn send_with_timeout(&self, request: PredictRequest, timeout_us: u64) {
        self.send_message(PredictStreamRequest {
            request: Some(request),
            timeout_us,
            ..Default::default()
        });
    }

    /// Sends a message unchanged. A message after the end of the stream is lost, as on the wire.
    pub fn send_message(&self, message: PredictStreamRequest) {
        let _ = self.requests.send(message);
    }

    /// Ends the requests. Responses still arrive.
    pub fn close(self) -> Streaming<PredictStreamResponse> {
        self.responses
    }

    /// Receives the next outcome, or none if the stream ended without an error.
    pub async fn next_outcome(&mut self) -> Result<Option<Outcome>, Status> {
        next_outcome(&mut self.responses).await
    }

    /// Receives the next outcome, which must be a response.
    pub async fn next_response(&mut self) -> PredictResponse {
        match self.next_outcome().await {
            Ok(Some(Outcome::Response(response))) => response,
            other => panic!("not a response: {other:?}"),
        }
    }

    /// Receives the next outcome, which must be the error of one request.
    pub async fn next_error(&mut self) -> RequestError {
        match self.next_outcome().await {
            Ok(Some(Outcome::Error(error))) => error,
            other => panic!("not an error in the stream: {other:?}"),
        }
    }

    /// Returns the status that ends the stream. No outcome may come before it.
    pub async fn end_status(&mut self) -> Status {
        match self.next_outcome().await {
            Err(status) => status,
            other => panic!("not the end: {other:?}"),
        }
    }
}

/// Receives the next outcome of a stream whose requests have ended.
pub async fn next_outcome(responses: &mut Streaming<PredictStreamResponse>) -> Result<Option<Outcome>, Status> {
    let message = tokio::time::timeout(TEST_TIMEOUT, responses.message());
    let message = message.await.expect("the stream neither continues nor ends")?;
    Ok(message.map(|message| message.outcome.expect("an outcome")))
}
