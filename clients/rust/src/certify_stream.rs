//! A certificate that grows.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tonic::Streaming;

use crate::connection::Connection;
use crate::error::NO_ANSWER;
use crate::proto::{self, CertifyStreamResponse};
use crate::{Answer, Error, Timings};

/// The answers of [`Client::certify_stream`](crate::Client::certify_stream). Each is valid by itself, and the last has
/// [`Answer::is_final`].
#[derive(Debug)]
pub struct CertifyStream {
    messages: Streaming<CertifyStreamResponse>,
    /// A message that was received with the opening of the stream.
    first: Option<CertifyStreamResponse>,
    start: Instant,
    deadline: Duration,
    has_ended: bool,
}

impl CertifyStream {
    /// Opens a stream, and waits for its first message, so that a refusal can be retried.
    pub(crate) async fn open(
        connection: &Connection,
        request: proto::CertifyRequest,
        start: Instant,
        deadline: Duration,
        time_left: Duration,
    ) -> Result<Self, Error> {
        let request = connection.request(request, time_left).await;
        let response = connection
            .stub()
            .certify_stream(request)
            .await
            .map_err(Error::from_status)?;
        let mut messages = response.into_inner();
        let first = messages.message().await.map_err(Error::from_status)?;
        Ok(Self {
            messages,
            first: Some(first.ok_or_else(no_final_answer)?),
            start,
            deadline,
            has_ended: false,
        })
    }

    /// The next answer; `None` after the final one and after an error.
    ///
    /// # Errors
    ///
    /// Every [`ErrorKind`](crate::ErrorKind).
    pub async fn next(&mut self) -> Result<Option<Answer>, Error> {
        if self.has_ended {
            return Ok(None);
        }
        let answer = self.receive().await;
        self.has_ended = !matches!(&answer, Ok(answer) if !answer.is_final());
        answer.map(Some)
    }

    async fn receive(&mut self) -> Result<Answer, Error> {
        let message = match self.first.take() {
            Some(message) => message,
            None => match timeout_at(self.start + self.deadline, self.messages.message()).await {
                Ok(message) => message.map_err(Error::from_status)?.ok_or_else(no_final_answer)?,
                Err(_) => return Err(Error::late(NO_ANSWER)),
            },
        };
        let times = message.timings.unwrap_or_default();
        let timings = message
            .r#final
            .then(|| Timings::new(&times, self.deadline, self.start.elapsed()));
        let provenance = Arc::new(message.provenance.unwrap_or_default().into());
        Answer::from_message(
            message.prediction.unwrap_or_default(),
            provenance,
            timings,
            message.r#final,
        )
    }
}

fn no_final_answer() -> Error {
    Error::malformed("the stream ended without a final answer")
}
