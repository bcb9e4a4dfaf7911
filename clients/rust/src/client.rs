//! The client.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tonic::transport::Channel;

use crate::connection::Connection;
use crate::options::checked_deadline;
use crate::proto::mixed_classifier_client::MixedClassifierClient;
use crate::proto::{self, GetModelInfoRequest, GetShadowReportRequest};
use crate::{
    Answer, CertifyOptions, CertifyStream, ClientBuilder, Error, PredictOptions, PredictStream, Provenance,
    RetryPolicy, ServerInfo, ShadowReport, Tensor, Timings,
};

type Stub = MixedClassifierClient<Channel>;

/// A client of one server. A clone is cheap and shares the connection; tasks may share a client.
///
/// Every call has a deadline: its own, or that of the client. Calls are repeated within it, as a [`RetryPolicy`] says. The
/// client connects again whenever the connection is lost.
#[derive(Debug, Clone)]
pub struct Client {
    connection: Connection,
    deadline: Duration,
    retry: RetryPolicy,
}

impl Client {
    /// Connects to a server with the default options. [`builder`](Self::builder) sets others.
    ///
    /// `address` is `unix:///PATH`, `HOST:PORT` or `http://HOST:PORT` without encryption, or `https://HOST:PORT`.
    ///
    /// # Errors
    ///
    /// Those of [`ClientBuilder::connect`].
    pub async fn connect(address: impl Into<String>) -> Result<Self, Error> {
        Self::builder(address).connect().await
    }

    /// Begins the options of a client.
    pub fn builder(address: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(address.into())
    }

    pub(crate) fn new(connection: Connection, deadline: Duration, retry: RetryPolicy) -> Self {
        Self {
            connection,
            deadline,
            retry,
        }
    }

    /// The deadline of a call that names none.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// This client with another deadline of calls that name none.
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        Self {
            deadline,
            ..self.clone()
        }
    }

    /// Classifies one input of the model's shape, and certifies it towards the operator's target radius.
    ///
    /// # Errors
    ///
    /// Every [`ErrorKind`](crate::ErrorKind).
    pub async fn predict(&self, input: &Tensor) -> Result<Answer, Error> {
        self.predict_with(input, &PredictOptions::default()).await
    }

    /// [`predict`](Self::predict) with options.
    ///
    /// # Errors
    ///
    /// Every [`ErrorKind`](crate::ErrorKind).
    pub async fn predict_with(&self, input: &Tensor, options: &PredictOptions) -> Result<Answer, Error> {
        let answers = self.predictions(options.request(input.one_input()), 1, options).await?;
        only(answers)
    }

    /// [`predict`](Self::predict) for N inputs, a tensor of the shape [N, ...]. The answers are in the order of the inputs.
    ///
    /// # Errors
    ///
    /// Every [`ErrorKind`](crate::ErrorKind).
    pub async fn predict_batch(&self, inputs: &Tensor, options: &PredictOptions) -> Result<Vec<Answer>, Error> {
        let (inputs, count) = inputs.batch()?;
        self.predictions(options.request(inputs), count, options).await
    }

    /// [`predict`](Self::predict) with the caller's own target radius, vote budget and failure probability.
    ///
    /// If the deadline comes first, the server answers shortly before it, with the best certificate so far.
    ///
    /// # Errors
    ///
    /// Every [`ErrorKind`](crate::ErrorKind).
    pub async fn certify(&self, input: &Tensor, options: &CertifyOptions) -> Result<Answer, Error> {
        only(
            self.certifications(options.request(input.one_input()), 1, options)
                .await?,
        )
    }

    /// [`certify`](Self::certify) for N inputs, a tensor of the shape [N, ...].
    ///
    /// # Errors
    ///
    /// Every [`ErrorKind`](crate::ErrorKind).
    pub async fn certify_batch(&self, inputs: &Tensor, options: &CertifyOptions) -> Result<Vec<Answer>, Error> {
        let (inputs, count) = inputs.batch()?;
        self.certifications(options.request(inputs), count, options).await
    }

    /// The answers of [`certify`](Self::certify) for one input as the radius grows, once the first is here. Drop the stream
    /// to end the call early.
    ///
    /// # Errors
    ///
    /// Every [`ErrorKind`](crate::ErrorKind).
    pub async fn certify_stream(&self, input: &Tensor, options: &CertifyOptions) -> Result<CertifyStream, Error> {
        let deadline = options.deadline_or(self.deadline)?;
        let start = Instant::now();
        let request = options.request(input.one_input());
        let attempt = |time_left| CertifyStream::open(&self.connection, request.clone(), start, deadline, time_left);
        self.retry.repeat(start + deadline, attempt).await
    }

    /// A stream for [`predict`](Self::predict) in a loop, which saves the setup of a call for each request. The deadline of
    /// this client is that of each request. The stream reconnects by itself.
    #[must_use]
    pub fn predict_stream(&self) -> PredictStream {
        PredictStream::new(self.connection.clone(), self.deadline, self.retry)
    }

    /// The models, labels, input, guarantee and limits that the server uses.
    ///
    /// # Errors
    ///
    /// Every [`ErrorKind`](crate::ErrorKind).
    pub async fn info(&self) -> Result<ServerInfo, Error> {
        let send = |mut stub: Stub, request| async move { stub.get_model_info(request).await };
        let (response, _) = self.call(self.deadline, GetModelInfoRequest {}, send).await?;
        Ok(response.into())
    }

    /// Statistics of other mixtures on the traffic so far.
    ///
    /// # Errors
    ///
    /// Every [`ErrorKind`](crate::ErrorKind).
    pub async fn shadow_report(&self) -> Result<ShadowReport, Error> {
        let send = |mut stub: Stub, request| async move { stub.get_shadow_report(request).await };
        let (response, _) = self.call(self.deadline, GetShadowReportRequest {}, send).await?;
        Ok(response.into())
    }

    async fn predictions(
        &self,
        request: proto::PredictRequest,
        inputs: usize,
        options: &PredictOptions,
    ) -> Result<Vec<Answer>, Error> {
        let deadline = options.deadline_or(self.deadline)?;
        let send = |mut stub: Stub, request| async move { stub.predict(request).await };
        let (response, round_trip) = self.call(deadline, request, send).await?;
        answers(response, inputs, deadline, round_trip)
    }

    async fn certifications(
        &self,
        request: proto::CertifyRequest,
        inputs: usize,
        options: &CertifyOptions,
    ) -> Result<Vec<Answer>, Error> {
        let deadline = options.deadline_or(self.deadline)?;
        let send = |mut stub: Stub, request| async move { stub.certify(request).await };
        let (response, round_trip) = self.call(deadline, request, send).await?;
        let response = proto::PredictResponse {
            predictions: response.predictions,
            provenance: response.provenance,
            timings: response.timings,
        };
        answers(response, inputs, deadline, round_trip)
    }

    /// The response to `message` within `deadline`, and the time that it took. `send` makes one attempt.
    async fn call<M, R, F>(
        &self,
        deadline: Duration,
        message: M,
        send: impl Fn(Stub, tonic::Request<M>) -> F + Send + Sync,
    ) -> Result<(R, Duration), Error>
    where
        M: Clone + Send + Sync,
        R: Send,
        F: Future<Output = Result<tonic::Response<R>, tonic::Status>> + Send,
    {
        let deadline = checked_deadline(deadline)?;
        let start = Instant::now();
        let attempt = |time_left| {
            let (message, send) = (message.clone(), &send);
            async move {
                let request = self.connection.request(message, time_left).await;
                send(self.connection.stub(), request).await.map_err(Error::from_status)
            }
        };
        let response = self.retry.repeat(start + deadline, attempt).await?;
        Ok((response.into_inner(), start.elapsed()))
    }
}

/// The answers of a response, one for each of `inputs`.
pub(crate) fn answers(
    response: proto::PredictResponse,
    inputs: usize,
    deadline: Duration,
    round_trip: Duration,
) -> Result<Vec<Answer>, Error> {
    if response.predictions.len() != inputs {
        let found = response.predictions.len();
        return Err(Error::malformed(format!(
            "expected {inputs} predictions, found {found}"
        )));
    }
    let provenance = Arc::new(Provenance::from(response.provenance.unwrap_or_default()));
    let timings = Timings::new(&response.timings.unwrap_or_default(), deadline, round_trip);
    let predictions = response.predictions.into_iter();
    predictions
        .map(|prediction| Answer::from_message(prediction, Arc::clone(&provenance), Some(timings), true))
        .collect()
}

/// The answer of a request of one input.
pub(crate) fn only(answers: Vec<Answer>) -> Result<Answer, Error> {
    let answer = answers.into_iter().next();
    answer.ok_or_else(|| Error::malformed("expected 1 prediction, found 0"))
}
