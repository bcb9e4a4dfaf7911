//! `predict` over one long gRPC stream.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_stream::wrappers::ReceiverStream;

use crate::client::{answers, only};
use crate::connection::Connection;
use crate::proto::{PredictRequest, PredictResponse, PredictStreamRequest, PredictStreamResponse};
use crate::waiting::{MAX_WAITING, WaitingRequests, end_of_stream, outcome};
use crate::{Answer, Error, PredictOptions, RetryPolicy, Tensor};

/// The deadline of one gRPC stream. The next request opens another one.
const LIFETIME: Duration = Duration::from_secs(3600);

/// `predict` over one gRPC stream, which opens with the first request.
///
/// If the stream ends (the server restarts, or the connection is too old), requests without an answer are sent again on a new
/// stream within their own deadlines. Tasks may share a `PredictStream`: up to 64 requests can be in progress. An answer that
/// comes after the deadline of its request is dropped.
#[derive(Debug)]
pub struct PredictStream {
    connection: Connection,
    deadline: Duration,
    retry: RetryPolicy,
    next_id: AtomicU64,
    current: Mutex<Option<Arc<OpenStream>>>,
}

impl PredictStream {
    pub(crate) fn new(connection: Connection, deadline: Duration, retry: RetryPolicy) -> Self {
        Self {
            connection,
            deadline,
            retry,
            next_id: AtomicU64::new(1),
            current: Mutex::new(None),
        }
    }

    /// The deadline of a request that names none.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// [`Client::predict`](crate::Client::predict) over this stream.
    ///
    /// # Errors
    ///
    /// Every [`ErrorKind`](crate::ErrorKind).
    pub async fn predict(&self, input: &Tensor) -> Result<Answer, Error> {
        self.predict_with(input, &PredictOptions::default()).await
    }

    /// [`Client::predict_with`](crate::Client::predict_with) over this stream.
    ///
    /// # Errors
    ///
    /// Every [`ErrorKind`](crate::ErrorKind).
    pub async fn predict_with(&self, input: &Tensor, options: &PredictOptions) -> Result<Answer, Error> {
        only(self.predictions(options.request(input.one_input()), 1, options).await?)
    }

    /// [`Client::predict_batch`](crate::Client::predict_batch) over this stream.
    ///
    /// # Errors
    ///
    /// Every [`ErrorKind`](crate::ErrorKind).
    pub async fn predict_batch(&self, inputs: &Tensor, options: &PredictOptions) -> Result<Vec<Answer>, Error> {
        let (inputs, count) = inputs.batch()?;
        self.predictions(options.request(inputs), count, options).await
    }

    async fn predictions(
        &self,
        request: PredictRequest,
        inputs: usize,
        options: &PredictOptions,
    ) -> Result<Vec<Answer>, Error> {
        let deadline = options.deadline_or(self.deadline)?;
        let start = Instant::now();
        let end = start + deadline;
        let attempt = |time_left: Duration| {
            let message = PredictStreamRequest {
                request: Some(request.clone()),
                timeout_us: u64::try_from(time_left.as_micros()).unwrap_or(u64::MAX).max(1),
                correlation_id: self.next_id.fetch_add(1, Ordering::Relaxed),
            };
            let stream = self.current();
            async move { stream.request(message, end).await }
        };
        let response = self.retry.repeat(end, attempt).await?;
        answers(response, inputs, deadline, start.elapsed())
    }

    /// The open stream, or a new one.
    fn current(&self) -> Arc<OpenStream> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some(stream) if stream.is_open() => Arc::clone(stream),
            _ => Arc::clone(current.insert(Arc::new(OpenStream::open(self.connection.clone())))),
        }
    }
}

type Waiter = oneshot::Sender<Result<PredictStreamResponse, Error>>;

/// One gRPC stream. It ends on drop.
#[derive(Debug)]
struct OpenStream {
    requests: mpsc::Sender<PredictStreamRequest>,
    waiting: Arc<Mutex<WaitingRequests<Waiter>>>,
    reader: JoinHandle<()>,
}

impl OpenStream {
    /// Opens a stream in the background. Its requests wait meanwhile.
    fn open(connection: Connection) -> Self {
        let (requests, sent) = mpsc::channel(MAX_WAITING);
        let waiting = Arc::new(Mutex::new(WaitingRequests::new()));
        let reader = tokio::spawn(read(connection, ReceiverStream::new(sent), Arc::clone(&waiting)));
        Self {
            requests,
            waiting,
            reader,
        }
    }

    fn is_open(&self) -> bool {
        lock(&self.waiting).is_open(Instant::now())
    }

    /// Sends a request, and waits for its answer until `end`.
    async fn request(&self, message: PredictStreamRequest, end: Instant) -> Result<PredictResponse, Error> {
        let (waiter, answer) = oneshot::channel();
        {
            let mut waiting = lock(&self.waiting);
            let id = message.correlation_id;
            waiting.add(id, waiter, end)?;
            // Each message in the channel has a waiter, so the channel has room, and it closes after the stream ended.
            if self.requests.try_send(message).is_err() {
                waiting.take(id);
                return Err(end_of_stream(None));
            }
        }
        match timeout_at(end, answer).await {
            Ok(Ok(response)) => outcome(response?),
            Ok(Err(_)) => Err(end_of_stream(None)),
            Err(_) => Err(Error::late("no answer came within the deadline of the request")),
        }
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Hands each response to its waiter, until the stream ends.
async fn read(
    connection: Connection,
    requests: ReceiverStream<PredictStreamRequest>,
    waiting: Arc<Mutex<WaitingRequests<Waiter>>>,
) {
    let error = receive(&connection, requests, &waiting).await.err();
    let cause = end_of_stream(error);
    let waiters = lock(&waiting).close(cause.clone());
    for waiter in waiters {
        // A waiter whose caller has left needs no error.
        drop(waiter.send(Err(cause.clone())));
    }
}

async fn receive(
    connection: &Connection,
    requests: ReceiverStream<PredictStreamRequest>,
    waiting: &Mutex<WaitingRequests<Waiter>>,
) -> Result<(), Error> {
    let request = connection.request(requests, LIFETIME).await;
    let response = connection
        .stub()
        .predict_stream(request)
        .await
        .map_err(Error::from_status)?;
    let mut responses = response.into_inner();
    while let Some(response) = responses.message().await.map_err(Error::from_status)? {
        let waiter = lock(waiting).take(response.correlation_id);
        if let Some(waiter) = waiter {
            drop(waiter.send(Ok(response)));
        }
    }
    Ok(())
}

fn lock<W>(waiting: &Mutex<WaitingRequests<W>>) -> std::sync::MutexGuard<'_, WaitingRequests<W>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}
