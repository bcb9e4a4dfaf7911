//! A PredictStream, open on both sides.

use certimix::rpc::proto::predict_stream_response::Outcome;
use certimix::rpc::proto::{
    PredictRequest, PredictResponse, PredictStreamRequest, PredictStreamResponse, RequestError,
};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Request, Status, Streaming};

use super::server::{Client, TEST_TIMEOUT};

pub struct PredictStreamClient {
    requests: UnboundedSender<PredictStreamRequest>,
    answers: Streaming<PredictStreamResponse>,
}

impl PredictStreamClient {
    /// Opens a stream; `prepare` may set its metadata.
    pub async fn open_with(
        mut client: Client,
        prepare: impl FnOnce(&mut Request<UnboundedReceiverStream<PredictStreamRequest>>),
    ) -> Self {
        let (requests, outgoing) = unbounded_channel();
        let mut request = Request::new(UnboundedReceiverStream::new(outgoing));
        prepare(&mut request);
        let answers = client.predict_stream(request).await.unwrap().into_inner();
        Self { requests, answers }
    }

    pub async fn open(client: Client) -> Self {
        Self::open_with(client, |_| {}).await
    }

    /// Sends a request with the operator's time.
    pub fn send(&self, request: PredictRequest) {
        self.send_with_timeout(request, 0);
    }

    pub fn send_with_timeout(&self, request: PredictRequest, timeout_us: u64) {
        self.send_message(PredictStreamRequest {
            request: Some(request),
            timeout_us,
        });
    }

    /// Sends a message as it is; one that comes after the end is lost, as on the wire.
    pub fn send_message(&self, message: PredictStreamRequest) {
        let _ = self.requests.send(message);
    }

    /// Says that no more requests come; answers still do.
    pub fn close(self) -> Streaming<PredictStreamResponse> {
        self.answers
    }

    /// The next outcome, or none if the stream has ended well.
    pub async fn next_outcome(&mut self) -> Result<Option<Outcome>, Status> {
        next_outcome(&mut self.answers).await
    }

    /// The next answer, which must be one.
    pub async fn next_response(&mut self) -> PredictResponse {
        match self.next_outcome().await {
            Ok(Some(Outcome::Response(response))) => response,
            other => panic!("not an answer: {other:?}"),
        }
    }

    /// The next answer, which must be an error in its place.
    pub async fn next_error(&mut self) -> RequestError {
        match self.next_outcome().await {
            Ok(Some(Outcome::Error(error))) => error,
            other => panic!("not an error in the stream: {other:?}"),
        }
    }

    /// How the stream ends, which it must do now.
    pub async fn end_status(&mut self) -> Status {
        match self.next_outcome().await {
            Err(status) => status,
            other => panic!("not the end: {other:?}"),
        }
    }
}

/// As [`Exchange::next`], of a stream that was closed.
pub async fn next_outcome(answers: &mut Streaming<PredictStreamResponse>) -> Result<Option<Outcome>, Status> {
    let message = tokio::time::timeout(TEST_TIMEOUT, answers.message());
    let message = message.await.expect("the stream neither goes on nor ends")?;
    Ok(message.map(|message| message.outcome.expect("an outcome")))
}
