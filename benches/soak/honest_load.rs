//! Callers that keep to the rules, at a rate that the server can bear: what they receive is the
//! measure of the defence.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use certimix::rpc::proto::mixed_classifier_client::MixedClassifierClient;
use certimix::rpc::proto::predict_stream_response::Outcome as StreamOutcome;
use certimix::rpc::proto::{
    CertifyRequest, GetModelInfoRequest, PredictRequest, PredictStreamRequest, Prediction, Tensor,
};
use tokio::task::JoinSet;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt as _;

use crate::honest_results::{Answer, HonestResults, RequestKind};

/// The interval of each kind of request, and its deadline. Together they take about a fifth of the
/// processors of a machine with two of them.
const SCHEDULE: [(RequestKind, Duration, Duration); 5] = [
    (RequestKind::Predict, Duration::from_millis(100), Duration::from_secs(1)),
    (
        RequestKind::Certify,
        Duration::from_millis(2000),
        Duration::from_secs(5),
    ),
    (
        RequestKind::ModelInfo,
        Duration::from_millis(1000),
        Duration::from_secs(1),
    ),
    (RequestKind::Health, Duration::from_millis(1000), Duration::from_secs(1)),
    (
        RequestKind::NewConnection,
        Duration::from_millis(1000),
        Duration::from_secs(2),
    ),
];
/// The interval of the requests of the PredictStream.
const STREAM_INTERVAL: Duration = Duration::from_millis(200);
const STREAM_DEADLINE: Duration = Duration::from_secs(1);
/// The pause before a stream that ended is opened again.
const REOPEN_DELAY: Duration = Duration::from_millis(200);
const VOTE_BUDGET: u64 = 400;
/// Requests that are unanswered at a time, of all kinds. The schedule leaves far fewer open.
const MAX_OPEN_REQUESTS: usize = 1000;

/// The honest callers, on a thread of their own. Dropping them stops them.
pub struct HonestLoad {
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

/// What every caller has.
#[derive(Clone)]
struct Caller {
    address: SocketAddr,
    client: MixedClassifierClient<Channel>,
    health: HealthClient<Channel>,
    authorization: MetadataValue<Ascii>,
    inputs: Arc<Vec<Tensor>>,
    results: Arc<HonestResults>,
}

impl HonestLoad {
    pub fn start(
        address: SocketAddr,
        token: &str,
        inputs: Vec<Tensor>,
        results: &Arc<HonestResults>,
    ) -> anyhow::Result<Self> {
        let stopped = Arc::new(AtomicBool::new(false));
        let is_stopped = Arc::clone(&stopped);
        let results = Arc::clone(results);
        let authorization = format!("Bearer {token}").parse()?;
        let thread = std::thread::Builder::new().name("honest".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let channel = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true);
                let channel = channel.connect().await?;
                let caller = Caller {
                    address,
                    client: MixedClassifierClient::new(channel.clone()),
                    health: HealthClient::new(channel),
                    authorization,
                    inputs: Arc::new(inputs),
                    results,
                };
                run_callers(&caller, &is_stopped).await;
                anyhow::Ok(())
            })
        })?;
        Ok(Self {
            stopped,
            thread: Some(thread),
        })
    }

    /// Stops after the requests in flight.
    pub fn stop(mut self) -> anyhow::Result<()> {
        self.stopped.store(true, Ordering::Relaxed);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(anyhow!("the honest callers panicked")),
            None => Ok(()),
        }
    }
}

impl Drop for HonestLoad {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

/// Sends requests on schedule, however many are unanswered.
async fn run_callers(caller: &Caller, is_stopped: &AtomicBool) {
    let start = Instant::now();
    let mut requests = JoinSet::new();
    let mut sent = SCHEDULE.map(|_| 0_u32);
    let stream = keep_stream(caller.clone(), is_stopped);
    let send = async {
        while !is_stopped.load(Ordering::Relaxed) {
            for ((kind, interval, deadline), sent) in SCHEDULE.iter().zip(&mut sent) {
                let scheduled = start + *interval * *sent;
                if scheduled <= Instant::now() {
                    *sent += 1;
                    if requests.len() < MAX_OPEN_REQUESTS {
                        requests.spawn(caller.clone().send(*kind, *sent as usize, scheduled, *deadline));
                    } else {
                        caller
                            .results
                            .record(*kind, Answer::Failed("too many open requests".to_owned()), *deadline);
                    }
                }
            }
            while requests.try_join_next().is_some() {}
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        while requests.join_next().await.is_some() {}
    };
    tokio::join!(send, stream);
}

impl Caller {
    fn input(&self, turn: usize) -> Option<Tensor> {
        self.inputs.get(turn % self.inputs.len().max(1)).cloned()
    }

    fn request<T>(&self, message: T, deadline: Duration) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(deadline);
        request
            .metadata_mut()
            .insert("authorization", self.authorization.clone());
        request
    }

    /// Sends one request. Its latency counts from the scheduled time, so a late generator cannot
    /// hide a stall.
    async fn send(mut self, kind: RequestKind, turn: usize, scheduled: Instant, deadline: Duration) {
        // A server that enforces no deadline must not stop the measurement.
        let outcome = tokio::time::timeout(deadline + Duration::from_secs(1), self.call(kind, turn, deadline)).await;
        let answer = match outcome {
            Ok(Ok(predictions)) => {
                self.results.record_certificates(&predictions);
                Answer::Answered
            }
            Ok(Err(status)) => classify(&status),
            Err(_) => Answer::Failed("no answer a second after the deadline".to_owned()),
        };
        self.results.record(kind, answer, scheduled.elapsed());
    }

    async fn call(&mut self, kind: RequestKind, turn: usize, deadline: Duration) -> Result<Vec<Prediction>, Status> {
        match kind {
            RequestKind::Predict | RequestKind::StreamedPredict => {
                let message = PredictRequest {
                    inputs: self.input(turn),
                    ..Default::default()
                };
                let answer = self.client.predict(self.request(message, deadline)).await?;
                Ok(answer.into_inner().predictions)
            }
            RequestKind::Certify => {
                let message = CertifyRequest {
                    inputs: self.input(turn),
                    vote_budget: Some(VOTE_BUDGET),
                    ..Default::default()
                };
                let answer = self.client.certify(self.request(message, deadline)).await?;
                Ok(answer.into_inner().predictions)
            }
            RequestKind::ModelInfo => {
                let request = self.request(GetModelInfoRequest {}, deadline);
                self.client.get_model_info(request).await?;
                Ok(Vec::new())
            }
            RequestKind::Health => {
                let request = self.request(HealthCheckRequest::default(), deadline);
                self.health.check(request).await?;
                Ok(Vec::new())
            }
            RequestKind::NewConnection => {
                let endpoint = Endpoint::from_shared(format!("http://{}", self.address));
                let endpoint = endpoint.map_err(|error| Status::internal(error.to_string()))?;
                let channel = endpoint.connect_timeout(deadline).connect().await;
                let channel = channel.map_err(|error| Status::unavailable(format!("cannot connect: {error}")))?;
                let request = self.request(GetModelInfoRequest {}, deadline);
                MixedClassifierClient::new(channel).get_model_info(request).await?;
                Ok(Vec::new())
            }
        }
    }
}

/// Keeps one PredictStream open, as a control loop does.
async fn keep_stream(mut caller: Caller, is_stopped: &AtomicBool) {
    while !is_stopped.load(Ordering::Relaxed) {
        if let Err(status) = run_stream(&mut caller, is_stopped).await {
            let answer = Answer::Failed(format!("stream: {:?}: {}", status.code(), status.message()));
            caller
                .results
                .record(RequestKind::StreamedPredict, answer, STREAM_DEADLINE);
            tokio::time::sleep(REOPEN_DELAY).await;
        }
    }
}

async fn run_stream(caller: &mut Caller, is_stopped: &AtomicBool) -> Result<(), Status> {
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let mut request = Request::new(tokio_stream::wrappers::ReceiverStream::new(receiver));
    request
        .metadata_mut()
        .insert("authorization", caller.authorization.clone());
    let mut answers = caller.client.predict_stream(request).await?.into_inner();
    let mut turn = 0;
    let mut ticks = tokio::time::interval(STREAM_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !is_stopped.load(Ordering::Relaxed) {
        ticks.tick().await;
        turn += 1;
        let message = PredictStreamRequest {
            request: Some(PredictRequest {
                inputs: caller.input(turn),
                ..Default::default()
            }),
            timeout_us: u64::try_from(STREAM_DEADLINE.as_micros()).unwrap_or(u64::MAX),
            ..Default::default()
        };
        let sent = Instant::now();
        let ended = || Status::unavailable("the server ended the stream");
        sender.send(message).await.map_err(|_| ended())?;
        let answer = tokio::time::timeout(STREAM_DEADLINE + Duration::from_secs(1), answers.message()).await;
        let answer = answer.map_err(|_| Status::deadline_exceeded("no answer a second after the deadline"))?;
        let answer = match answer?.ok_or_else(ended)?.outcome {
            Some(StreamOutcome::Response(response)) => {
                caller.results.record_certificates(&response.predictions);
                Answer::Answered
            }
            Some(StreamOutcome::Error(error)) => {
                let code = Code::from(error.code);
                if code == Code::ResourceExhausted && error.retry_after_ms > 0 {
                    Answer::Refused
                } else {
                    Answer::Failed(format!("stream: {code:?}: {}", error.message))
                }
            }
            None => Answer::Failed("stream: an empty response".to_owned()),
        };
        caller
            .results
            .record(RequestKind::StreamedPredict, answer, sent.elapsed());
    }
    Ok(())
}

/// A refusal tells its caller when to try again; every other error is a failure.
fn classify(status: &Status) -> Answer {
    let retry = status.get_details_retry_info().and_then(|info| info.retry_delay);
    if status.code() == Code::ResourceExhausted && retry.is_some() {
        Answer::Refused
    } else {
        Answer::Failed(format!("{:?}: {}", status.code(), status.message()))
    }
}
