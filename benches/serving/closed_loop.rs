//! A closed loop: each caller sends its next request after the answer to its last one.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tonic::transport::Channel;

use crate::async_runtime::block_on_this_thread;
use crate::latency::{LatencyHistogram, latency_histogram, ms_per, nanoseconds};
use crate::process_usage::{cpu_time, thread_cpu_time};
use crate::raw_client::{EncodedCall, connect};
use crate::server_process::ServerProcess;

/// The time that callers have to end after a window; it covers the longest request.
const CALLERS_END_TIMEOUT: Duration = Duration::from_secs(120);

/// The result of one window.
#[derive(Debug)]
pub struct ClosedLoopResult {
    pub answers: u64,
    pub time: Duration,
    pub latencies: LatencyHistogram,
    /// The number of failed requests, by code and message.
    pub failures: BTreeMap<String, u64>,
    pub server_cpu: Duration,
    pub generator_cpu: Duration,
}

impl ClosedLoopResult {
    /// Answers a second.
    pub fn rate(&self) -> f64 {
        self.answers as f64 / self.time.as_secs_f64()
    }

    /// The server's processor time of an answer in milliseconds.
    pub fn server_cpu_ms(&self) -> f64 {
        ms_per(self.server_cpu, self.answers)
    }

    /// The load generator's processor time of an answer in milliseconds.
    pub fn generator_cpu_ms(&self) -> f64 {
        ms_per(self.generator_cpu, self.answers)
    }
}

/// Sends `call` from `callers` callers and measures a window after `warm_up`. No request may fail.
pub fn run_closed_loop(
    server: &ServerProcess,
    call: &EncodedCall,
    callers: usize,
    warm_up: Duration,
    window: Duration,
) -> anyhow::Result<ClosedLoopResult> {
    let result = block_on_this_thread(async {
        let pool = CallerPool::new(connect(server.address, callers).await?)?;
        let measurement = async {
            tokio::time::sleep(warm_up).await;
            let before = (Instant::now(), cpu_time(server.pid())?, thread_cpu_time()?);
            pool.recording.set(true);
            tokio::time::sleep(window).await;
            pool.recording.set(false);
            pool.stopping.set(true);
            let (start, server_cpu, generator_cpu) = before;
            anyhow::Ok((
                start.elapsed(),
                cpu_time(server.pid())?.saturating_sub(server_cpu),
                thread_cpu_time()?.saturating_sub(generator_cpu),
            ))
        };
        let both = async { tokio::join!(measurement, pool.run(call, callers)).0 };
        let (time, server_cpu, generator_cpu) = tokio::time::timeout(warm_up + window + CALLERS_END_TIMEOUT, both)
            .await
            .context("requests hang")??;
        let latencies = pool.latencies.into_inner();
        Ok(ClosedLoopResult {
            answers: latencies.len(),
            time,
            latencies,
            failures: pool.failures.into_inner(),
            server_cpu,
            generator_cpu,
        })
    })?;
    ensure!(
        result.failures.is_empty() && result.answers > 0,
        "requests failed or none was answered: {:?}",
        result.failures
    );
    Ok(result)
}

/// The callers' shared state.
pub struct CallerPool {
    channels: Vec<Channel>,
    /// While true, callers record the latencies of their answers.
    pub recording: Cell<bool>,
    /// Once true, callers send no further request.
    pub stopping: Cell<bool>,
    pub latencies: RefCell<LatencyHistogram>,
    pub failures: RefCell<BTreeMap<String, u64>>,
}

impl CallerPool {
    pub fn new(channels: Vec<Channel>) -> anyhow::Result<Self> {
        Ok(Self {
            channels,
            recording: Cell::new(false),
            stopping: Cell::new(false),
            latencies: RefCell::new(latency_histogram()?),
            failures: RefCell::default(),
        })
    }

    /// Runs the callers until `stopping` is set and every outstanding request is answered.
    pub async fn run(&self, call: &EncodedCall, callers: usize) {
        let mut callers: FuturesUnordered<_> = (0..callers).map(|index| self.run_caller(index, call)).collect();
        while callers.next().await.is_some() {}
    }

    async fn run_caller(&self, index: usize, call: &EncodedCall) {
        let Some(channel) = self.channels.get(index % self.channels.len().max(1)) else {
            return;
        };
        // Each caller starts with a different message.
        let mut turn = index * 7;
        while !self.stopping.get() {
            let start = Instant::now();
            let answer = call.send(turn, channel.clone(), None).await;
            turn += 1;
            if let Err(status) = answer {
                *self.failures.borrow_mut().entry(describe(&status)).or_default() += 1;
                // Avoids a tight loop against a server that refuses everything.
                tokio::time::sleep(Duration::from_millis(1)).await;
            } else if self.recording.get() {
                self.latencies
                    .borrow_mut()
                    .saturating_record(nanoseconds(start.elapsed()));
            }
        }
    }
}

/// The name of the code, such as `ResourceExhausted`, and the server's message.
fn describe(status: &tonic::Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}
