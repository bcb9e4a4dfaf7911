//! Samples the server from outside: `/proc`, its metrics port, and the honest callers.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use procfs::process::Process;

use crate::honest_results::HonestResults;
use crate::http_get::http_get;
use crate::metric_text::metric_sum;
use crate::report::{ProbeSummary, Sample, ServerTotals};

/// A kubelet's default.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
const PROBE_INTERVAL: Duration = Duration::from_secs(1);
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(3);
const MIB: f64 = 1_048_576.0;

/// What the driver tells the sampler, and what the sampler tells the driver.
#[derive(Default)]
pub struct SharedState {
    /// The cycle and the time since which nothing but honest callers ran, if so.
    pub phase: Mutex<(u32, Option<Instant>)>,
    /// Why the run must end at once.
    pub fatal: Mutex<Option<String>>,
    stopped: AtomicBool,
}

impl SharedState {
    pub fn set_phase(&self, cycle: u32, quiet_since: Option<Instant>) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = (cycle, quiet_since);
    }

    pub fn fatal(&self) -> Option<String> {
        self.fatal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_fatal(&self, reason: String) {
        *self.fatal.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }
}

/// The server that is sampled, and the limits of the run.
#[derive(Clone, Copy)]
pub struct SampledServer {
    pub pid: u32,
    pub metrics: SocketAddr,
    pub interval: Duration,
    /// A sample is quiet if nothing but honest callers ran for this long before its window.
    pub settle: Duration,
    pub memory_limit_mib: f64,
}

/// The samples of a run.
#[derive(Default)]
pub struct Samples {
    pub samples: Vec<Sample>,
    pub probes: ProbeSummary,
    pub totals: ServerTotals,
}

/// A thread that samples until it is stopped.
pub struct Sampler {
    state: Arc<SharedState>,
    thread: JoinHandle<Samples>,
}

impl Sampler {
    pub fn start(
        server: SampledServer,
        state: Arc<SharedState>,
        results: Arc<HonestResults>,
        start: Instant,
    ) -> anyhow::Result<Self> {
        let shared = Arc::clone(&state);
        let thread = std::thread::Builder::new().name("sampler".to_owned()).spawn(move || {
            let mut samples = Samples::default();
            let mut window_start = Instant::now();
            let mut slowest_probe = 0.0;
            while !shared.stopped.load(Ordering::Relaxed) {
                let turn = Instant::now();
                for path in ["/livez", "/readyz"] {
                    let probe = samples.probe(server.metrics, path);
                    slowest_probe = if probe > slowest_probe { probe } else { slowest_probe };
                }
                if window_start.elapsed() >= server.interval {
                    let mut sample = samples.sample(&server, &shared, &results, start, window_start);
                    window_start = Instant::now();
                    sample.probe_ms = round1(std::mem::take(&mut slowest_probe));
                    samples.samples.push(sample);
                }
                std::thread::sleep(PROBE_INTERVAL.saturating_sub(turn.elapsed()));
            }
            samples
        })?;
        Ok(Self { state, thread })
    }

    pub fn stop(self) -> anyhow::Result<Samples> {
        self.state.stopped.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the sampler panicked"))
    }
}

impl Samples {
    /// Probes once. Returns the time in milliseconds.
    fn probe(&mut self, metrics: SocketAddr, path: &str) -> f64 {
        let start = Instant::now();
        let answer = http_get(metrics, path, PROBE_TIMEOUT);
        let time = start.elapsed().as_secs_f64() * 1e3;
        self.probes.probes += 1;
        if !matches!(answer, Ok((200, _))) || start.elapsed() > PROBE_TIMEOUT {
            self.probes.failed += 1;
        }
        if time > self.probes.slowest_ms {
            self.probes.slowest_ms = round1(time);
        }
        time
    }

    fn sample(
        &mut self,
        server: &SampledServer,
        shared: &SharedState,
        results: &HonestResults,
        start: Instant,
        window_start: Instant,
    ) -> Sample {
        let (cycle, quiet_since) = *shared.phase.lock().unwrap_or_else(PoisonError::into_inner);
        let window = results.take_window();
        let mut sample = Sample {
            at: round1(start.elapsed().as_secs_f64()),
            cycle,
            quiet: quiet_since.is_some_and(|since| window_start >= since + server.settle),
            p50_ms: window.latency.p50_ms,
            p99_ms: window.latency.p99_ms,
            answered: window.counts.answered,
            refused: window.counts.refused,
            failed: window.counts.failed,
            ..Sample::default()
        };
        match process_figures(server.pid) {
            Ok((resident, threads, descriptors)) => {
                sample.resident_mib = round1(resident);
                sample.threads = threads;
                sample.descriptors = descriptors;
                let peak = &mut self.totals.peak_resident_mib;
                *peak = if sample.resident_mib > *peak {
                    sample.resident_mib
                } else {
                    *peak
                };
                if sample.resident_mib > server.memory_limit_mib {
                    shared.set_fatal(format!("{:.0} MiB resident: over the limit", sample.resident_mib));
                }
            }
            Err(error) => shared.set_fatal(format!("the server has ended: {error}")),
        }
        if let Ok((200, text)) = http_get(server.metrics, "/metrics", SCRAPE_TIMEOUT) {
            sample.connections = metric_sum(&text, "certimix_connections_open", "");
            sample.queue_rows = metric_sum(&text, "certimix_queue_rows", "");
            let totals = &mut self.totals;
            totals.failed_calls = metric_sum(&text, "certimix_requests_total", "outcome=\"failed\"");
            totals.reloads_applied = metric_sum(&text, "certimix_config_reloads_total", "\"applied\"");
            totals.reloads_rejected = metric_sum(&text, "certimix_config_reloads_total", "\"rejected\"");
            totals.connections_refused = metric_sum(&text, "certimix_connections_total", "\"refused\"");
            totals.connections_cut = metric_sum(&text, "certimix_connection_failures_total", "\"cut\"");
        }
        sample
    }
}

/// Resident memory in MiB, threads and file descriptors of a process.
fn process_figures(pid: u32) -> anyhow::Result<(f64, u32, u32)> {
    let process = Process::new(i32::try_from(pid)?)?;
    let status = process.status()?;
    let resident = status.vmrss.ok_or_else(|| anyhow!("it has no memory"))? * 1024;
    Ok((
        resident as f64 / MIB,
        u32::try_from(status.threads)?,
        u32::try_from(process.fd_count()?)?,
    ))
}

fn round1(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
