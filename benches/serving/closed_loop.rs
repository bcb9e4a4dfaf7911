//! A closed loop: callers who each send their next request when the last one is answered.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use hdrhistogram::Histogram;
use tonic::transport::Channel;

use crate::process_usage::{cpu_of, cpu_of_this_thread};
use crate::raw_client::{Call, connect};
use crate::server_process::Server;

/// How long callers may take to end after a window: the longest request.
const PATIENCE: Duration = Duration::from_secs(120);

/// Latencies in nanoseconds, to three digits.
pub type Latencies = Histogram<u64>;

pub fn latencies() -> anyhow::Result<Latencies> {
    Ok(Histogram::new_with_bounds(1000, 600_000_000_000, 3)?)
}

/// The quantile `q` in milliseconds.
pub fn quantile_ms(latencies: &Latencies, q: f64) -> f64 {
    latencies.value_at_quantile(q) as f64 / 1e6
}

/// What one window saw.
#[derive(Debug)]
pub struct Traffic {
    pub answers: u64,
    pub time: Duration,
    pub latencies: Latencies,
    /// Failed requests by their code.
    pub failures: BTreeMap<String, u64>,
    pub server_cpu: Duration,
    /// Of the load generator.
    pub own_cpu: Duration,
}

impl Traffic {
    pub fn rate(&self) -> f64 {
        self.answers as f64 / self.time.as_secs_f64()
    }

    pub fn server_ms(&self) -> f64 {
        per(self.server_cpu, self.answers)
    }

    pub fn own_ms(&self) -> f64 {
        per(self.own_cpu, self.answers)
    }
}

/// Milliseconds for each of `count`.
pub fn per(time: Duration, count: u64) -> f64 {
    time.as_secs_f64() * 1e3 / count.max(1) as f64
}

/// Runs the load on this thread alone.
pub fn on_this_thread<T>(load: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(load)
}

/// Sends `call` from `callers` callers, and measures a window once all are under way. No request may fail.
pub fn closed(
    server: &Server,
    call: &Call,
    callers: usize,
    warm_up: Duration,
    window: Duration,
) -> anyhow::Result<Traffic> {
    let traffic = on_this_thread(async {
        let crowd = Crowd::new(connect(server.address, callers).await?)?;
        let watch = async {
            tokio::time::sleep(warm_up).await;
            let before = (Instant::now(), cpu_of(server.pid())?, cpu_of_this_thread()?);
            crowd.counting.set(true);
            tokio::time::sleep(window).await;
            crowd.counting.set(false);
            crowd.over.set(true);
            let (time, server_cpu, own_cpu) = before;
            anyhow::Ok((
                time.elapsed(),
                cpu_of(server.pid())?.saturating_sub(server_cpu),
                cpu_of_this_thread()?.saturating_sub(own_cpu),
            ))
        };
        let ran = async { tokio::join!(watch, crowd.run(call, callers)).0 };
        let (time, server_cpu, own_cpu) = tokio::time::timeout(warm_up + window + PATIENCE, ran)
            .await
            .context("requests hang")??;
        let latencies = crowd.seen.into_inner();
        Ok(Traffic {
            answers: latencies.len(),
            time,
            latencies,
            failures: crowd.failures.into_inner(),
            server_cpu,
            own_cpu,
        })
    })?;
    ensure!(
        traffic.failures.is_empty() && traffic.answers > 0,
        "requests failed or none was answered: {:?}",
        traffic.failures
    );
    Ok(traffic)
}

/// The callers and what they share.
pub struct Crowd {
    channels: Vec<Channel>,
    pub counting: Cell<bool>,
    pub over: Cell<bool>,
    pub seen: RefCell<Latencies>,
    pub failures: RefCell<BTreeMap<String, u64>>,
}

impl Crowd {
    pub fn new(channels: Vec<Channel>) -> anyhow::Result<Self> {
        Ok(Self {
            channels,
            counting: Cell::new(false),
            over: Cell::new(false),
            seen: RefCell::new(latencies()?),
            failures: RefCell::default(),
        })
    }

    /// Until it is over, and every caller has the answer that it waits for.
    pub async fn run(&self, call: &Call, callers: usize) {
        let mut callers: FuturesUnordered<_> = (0..callers).map(|number| self.caller(number, call)).collect();
        while callers.next().await.is_some() {}
    }

    async fn caller(&self, number: usize, call: &Call) {
        let Some(channel) = self.channels.get(number % self.channels.len().max(1)) else {
            return;
        };
        // Each begins with another message.
        let mut turn = number * 7;
        while !self.over.get() {
            let start = Instant::now();
            let answer = call.send(turn, channel.clone(), None).await;
            turn += 1;
            if let Err(status) = answer {
                *self.failures.borrow_mut().entry(describe(&status)).or_default() += 1;
                // A server that refuses everything must not be asked in a tight loop.
                tokio::time::sleep(Duration::from_millis(1)).await;
            } else if self.counting.get() {
                self.seen.borrow_mut().saturating_record(nanos(start.elapsed()));
            }
        }
    }
}

/// The name of the code, such as `ResourceExhausted`, with what the server says where that is no matter of load.
fn describe(status: &tonic::Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}

pub fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
